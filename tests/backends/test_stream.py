"""A generated program steps through a sample as it runs it whole, and takes no memory on the way."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from beside import samples_of_several, several
from covering import leading
from kgenn.backends.reference import ReferenceSimulator
from kgenn.conversion.calibrated import Calibrated
from kgenn.conversion.few_spike import FewSpike
from kgenn.ir.graph import Array
from kgenn.ir.network import Network, ReadoutKind
from kgenn.ir.recording import Recording
from kgenn.ir.scores import heads_of
from programs import PLAIN, WARNINGS, emit
from recordings import EVERYTHING, converted, inputs_of
from streams import Stream

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")

OK, OUTSIDE, NO_INPUT, HELD, NO_STREAM = 0, 2, 3, 4, 5

STREAMS: list[tuple[str, str, ReadoutKind | None]] = [
    ("residual_shortcut", "poisson", None),
    ("concat_pool_conv", "poisson-signed", "current"),
    ("pool_input", "direct", None),
    ("conv_conv", "if", "spike-count"),
]


def assert_streamed(stream: Stream, expected: Recording, sample: int, network: Network, step: int) -> None:
    """Fail where a step departs from the same step of a run."""
    assert expected.raster is not None
    spikes = np.concatenate([expected.raster[p.name][sample, step] for p in network.spiking])
    assert np.array_equal(stream.spikes, spikes)
    assert np.array_equal(stream.scores, expected.scores[sample, step])
    values = [head.values(expected.scores[sample, step], step + 1) for head in heads_of(network)]
    assert np.allclose(stream.outputs, np.concatenate(values), rtol=1e-6, atol=0)


def assert_steps_give_what_a_run_gives(network: Network, x: dict[str, Array]) -> None:
    """Fail where a step departs from the run of its sample, in any order of three samples."""
    expected = ReferenceSimulator(network).run(network.drive(x), 0, EVERYTHING)
    stream = Stream(network)
    for sample in (0, 2, 1, 2):
        stream.reset(sample)
        given = np.concatenate([x[i.name][sample].ravel() for i in network.inputs])
        for step in range(network.num_timesteps):
            assert stream.step(given if step % 3 == 0 else None) == OK
            assert_streamed(stream, expected, sample, network, step)


def test_steps_give_what_a_run_gives_in_any_order_of_samples() -> None:
    network = several()
    assert_steps_give_what_a_run_gives(network, samples_of_several(network, count=3))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "encoder", "readout"), STREAMS)
def test_steps_of_a_network_alone_give_what_a_run_gives(
    name: str, encoder: str, readout: ReadoutKind | None
) -> None:
    network = converted(name, encoder, readout=readout)
    assert_steps_give_what_a_run_gives(network, {network.inputs[0].name: inputs_of(network, encoder, 3)})


@pytest.mark.slow
def test_a_differential_network_takes_the_input_of_the_first_step_alone() -> None:
    network = converted("residual_relu", "direct", Calibrated(), num_timesteps=8)
    x = inputs_of(network, "direct", 1)
    expected = ReferenceSimulator(network).run(network.drive(x), 0, EVERYTHING)
    stream = Stream(network)
    for step in range(network.num_timesteps):
        assert stream.step(x[0] if step == 0 else None) == OK
        assert_streamed(stream, expected, 0, network, step)
    assert stream.step(x[0]) == HELD


@pytest.mark.slow
def test_a_stream_goes_on_as_a_longer_run_does() -> None:
    short, long = (converted("residual_relu", "poisson", num_timesteps=t) for t in (7, 40))
    x = inputs_of(short, "poisson", 1)
    expected = ReferenceSimulator(long).run(long.drive(x), 0, EVERYTHING)
    stream = Stream(short)
    for step in range(40):
        assert stream.step(x[0]) == OK
        assert_streamed(stream, expected, 0, long, step)


def test_a_step_that_cannot_run_says_why_and_changes_nothing() -> None:
    network = converted("dense", "poisson")
    x = inputs_of(network, "poisson", 1)
    stream = Stream(network)
    assert stream.step() == NO_INPUT
    assert stream.step(x[0]) == OK
    before = stream.scores
    assert stream.step(np.full_like(x[0], 2)) == OUTSIDE
    assert np.array_equal(stream.scores, before)
    expected = ReferenceSimulator(network).run(network.drive(x), 0, EVERYTHING)
    assert stream.step() == OK
    assert_streamed(stream, expected, 0, network, 1)
    stream.reset(0)
    assert stream.step() == NO_INPUT


def test_null_in_place_of_a_network_or_a_stream_is_a_status() -> None:
    network = converted("dense", "poisson")
    library, values = Stream(network).library, np.zeros(network.num_inputs, np.float32)
    assert library.kgenn_stream_open(None) is None
    library.kgenn_reset(None, 3)
    assert library.kgenn_step(None, values.ctypes.data, None) == NO_STREAM
    library.kgenn_stream_close(None)


COUNTING = r"""
#include <cstdlib>
#include <new>
#include <vector>
#include "kgenn_network.h"

static long taken = 0;
void* operator new(std::size_t size) {
    ++taken;
    if (void* p = std::malloc(size)) return p;
    throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t line) {
    ++taken;
    if (void* p = std::aligned_alloc(static_cast<std::size_t>(line), (size + 63) / 64 * 64)) return p;
    throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

int main(int, char** argv) {
    kgenn_network* network = kgenn_open(argv[1]);
    if (network == nullptr) return 1;
    kgenn_stream* stream = kgenn_stream_open(network);
    std::vector<float> x(KGENN_NUM_INPUTS, 0.5f), outputs(KGENN_NUM_OUTPUTS);
    const long before = taken;
    if (before == 0) return 2;
    for (int sample = 0; sample < 3; ++sample) {
        kgenn_reset(stream, sample);
        for (int step = 0; step < 40; ++step) {
            const float* input = step == 0 || (KEEPS == 0 && step % 2 == 0) ? x.data() : nullptr;
            if (kgenn_step(stream, input, outputs.data()) != KGENN_OK) return 3;
        }
    }
    if (taken != before) return 4;
    kgenn_stream_close(stream);
    kgenn_close(network);
    return 0;
}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "encoder", "keeps"),
    leading([("concat_pool_conv", "poisson", 0), ("pool_input", "direct", 0), ("residual_relu", "direct", 1)]),
)
def test_nothing_is_taken_from_the_heap_after_a_stream_is_open(
    tmp_path: Path, name: str, encoder: str, keeps: int
) -> None:
    network = converted(name, encoder, Calibrated() if keeps else None)
    directory = emit(network, tmp_path)
    (directory / "counting.cpp").write_text(COUNTING)
    program = directory / "counting"
    sources = [str(directory / source) for source in ("counting.cpp", "network.cpp", "product.cpp")]
    flags = (*PLAIN, *WARNINGS, f"-DKEEPS={keeps}", "-march=native")
    done = subprocess.run(["g++", *flags, "-o", program, *sources], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert subprocess.run([program, directory / "weights.bin"], check=False).returncode == 0


def test_a_network_of_stages_is_refused_by_the_compiler(tmp_path: Path) -> None:
    directory = emit(converted("dense", "few-spike", FewSpike(), num_timesteps=7), tmp_path)
    code = '#include "kgenn_network.h"\nint main() { return kgenn_stream_open(nullptr) != nullptr; }\n'
    (directory / "use.cpp").write_text(code)
    command = ["g++", "-std=c++17", "-c", "-o", "/dev/null", str(directory / "use.cpp")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "call kgenn_run for each sample" in done.stderr
