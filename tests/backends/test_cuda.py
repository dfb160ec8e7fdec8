"""The emitted CUDA gives the same spikes as the reference, on a device that the host plays; nvcc takes it too."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from cuda_programs import HostDevice, build_executable

from beside import driven
from covering import leading
from kgenn.backends import TARGETS
from kgenn.backends.base import SynapseAlgorithm
from kgenn.backends.cuda import FLAGS
from kgenn.backends.cuda_program import TEMPLATES
from kgenn.backends.program_context import WEIGHTS
from kgenn.backends.reference import ReferenceSimulator
from kgenn.conversion.base import Converter
from kgenn.conversion.data_norm import DataNorm
from kgenn.conversion.few_spike import FewSpike
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from kgenn.ir.recording import RecordingOptions
from networks import RECIPES
from programs import WARNINGS, classify, emit
from recordings import EVERYTHING, METHODS, assert_same, changing, converted, drive_of, frames, inputs_of
from wide_pools import images, wide

needs_gcc = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
needs_nvcc = pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs nvcc, of the CUDA toolkit")
FIRST_SAMPLE = 1_000_003

# every kind of connection and of value, of every method: (network, method, encoder, timesteps)
CASES = [
    ("residual_shortcut", "data-norm", "poisson-signed", 0),
    ("wide_64", "data-norm", "if", 7),
    ("wide_100", "few-spike", "few-spike", 0),
    ("conv_groups", "data-norm", "spike", 0),
    ("loud_channels", "data-norm", "poisson", 0),
    ("loud_channels", "burst", "direct", 5),
    ("pool_input", "data-norm", "direct", 0),
    ("pool_add", "burst", "direct", 5),
    ("concat_pool_conv", "calibrated", "direct", 0),
    ("conv_asymmetric", "few-spike", "few-spike", 0),
    ("max_pool_skip", "few-spike", "few-spike-signed", 12),
    ("skip_to_readout", "ttfs", "ttfs", 0),
    ("upsample_input", "data-norm", "direct", 0),
    ("upsample_bilinear_conv", "few-spike", "few-spike", 0),
    ("transposed_conv", "burst", "direct", 5),
    ("pool_same_dense", "data-norm", "poisson-signed", 0),
]
# the others with each kind of method in turn
TURNS = [("data-norm", "poisson"), ("burst", "direct"), ("few-spike", "few-spike"), ("ttfs", "direct")]
REST = [
    (name, *TURNS[i % len(TURNS)], 0)
    for i, name in enumerate(RECIPES)
    if i % 4 == 0 or "separable" in name or "global" in name
]


def network_of(name: str, method: str, encoder: str, num_timesteps: int) -> Network:
    converter, lengths = METHODS[method]
    return converted(name, encoder, converter, num_timesteps=num_timesteps or lengths[0])


def together(method: str) -> tuple[Network, Array]:
    """Return the cases of a method as one network, of as many timesteps as its tests run, and a drive of it."""
    cases = {name: (network_of(name, method, e, 0), e) for name, of, e, _ in CASES if of == method}
    return driven(cases, 5)


@needs_gcc
@pytest.mark.parametrize("method", leading(dict.fromkeys(case[1] for case in CASES[2:])))
def test_every_way_gives_the_spikes_of_the_reference_in_any_batch(tmp_path: Path, method: str) -> None:
    assert_every_way_gives_the_spikes_of_the_reference(*together(method), tmp_path)


@needs_gcc
@pytest.mark.slow
@pytest.mark.parametrize(("name", "method", "encoder", "num_timesteps"), [*CASES, *REST])
def test_every_way_gives_the_spikes_of_the_reference_for_a_network_alone(
    tmp_path: Path, name: str, method: str, encoder: str, num_timesteps: int
) -> None:
    network = network_of(name, method, encoder, num_timesteps)
    assert_every_way_gives_the_spikes_of_the_reference(network, drive_of(network, encoder, 5), tmp_path)


def assert_every_way_gives_the_spikes_of_the_reference(network: Network, drive: Array, folder: Path) -> None:
    """Fail where a way of computing synapses, or a batch of a part of the samples, changes a spike."""
    expected = ReferenceSimulator(network).run(drive, FIRST_SAMPLE, EVERYTHING)
    device = HostDevice(network, folder)
    for way in get_args(SynapseAlgorithm):
        simulator = device.simulator(way)
        assert_same(expected, simulator.run(drive, FIRST_SAMPLE, EVERYTHING))
        for work in simulator.work:
            assert way != "events" or set(work.algorithms) == {"events"}
    # memory for less than the next run wants is not used again
    simulator = device.simulator()
    simulator.run(drive, FIRST_SAMPLE, RecordingOptions(trace=True))
    assert_same(expected, simulator.run(drive, FIRST_SAMPLE, EVERYTHING))
    for start, stop in ((0, 1), (3, 5)):
        part = simulator.run(drive[start:stop], FIRST_SAMPLE + start, RecordingOptions(curve=False))
        assert np.array_equal(part.scores, expected.scores[start:stop, -1:])
        assert all(np.array_equal(c, expected.spike_counts[n][start:stop]) for n, c in part.spike_counts.items())
    together = simulator.run(drive, FIRST_SAMPLE, RecordingOptions(per_sample=False))
    for population, counts in together.spike_counts.items():
        assert np.array_equal(counts, expected.spike_counts[population].sum(axis=0, keepdims=True))


@pytest.mark.slow
@needs_gcc
@pytest.mark.parametrize("converter", leading([DataNorm(channelwise=True), FewSpike()]))
def test_currents_that_32_bits_do_not_hold_are_doubles(tmp_path: Path, converter: Converter) -> None:
    network = wide(converter, 10, "direct")
    drive = network.drive(images(3, seed=5))
    expected = ReferenceSimulator(network).run(drive, 0, EVERYTHING)
    device = HostDevice(network, tmp_path)
    for way in get_args(SynapseAlgorithm):
        assert_same(expected, device.simulator(way).run(drive, 0, EVERYTHING))


@pytest.mark.slow
@needs_gcc
@pytest.mark.parametrize(
    ("name", "method", "encoder"),
    leading(
        [
            ("wide_64", "data-norm", "if"),
            ("residual_shortcut", "data-norm", "poisson"),
            ("conv_groups", "few-spike", "direct"),
        ]
    ),
)
def test_no_order_of_threads_and_copies_changes_a_spike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, method: str, encoder: str
) -> None:
    network = network_of(name, method, encoder, 0)
    drive = drive_of(network, encoder, 3)
    expected = ReferenceSimulator(network).run(drive, 0, EVERYTHING)
    simulator = HostDevice(network, tmp_path).simulator("dense")
    ordered = simulator.run(drive, 0, EVERYTHING)
    density = [work.density for work in simulator.work]
    assert_same(expected, ordered)
    for copies, threads in product("01", "012"):
        monkeypatch.setenv("CUDA_HOST_COPIES", copies)
        monkeypatch.setenv("CUDA_HOST_THREADS", threads)
        assert_same(expected, simulator.run(drive, 0, EVERYTHING))
        assert [work.density for work in simulator.work] == pytest.approx(density)


@needs_gcc
def test_tensor_cores_multiply_weights_in_granules(tmp_path: Path) -> None:
    network = network_of("loud_channels", "few-spike", "few-spike", 0)
    loud = np.abs(network.connections[1].connectivity.weights)
    assert loud.max() > 32767
    drive = drive_of(network, "few-spike", 3)
    simulator = HostDevice(network, tmp_path).simulator("dense")
    assert_same(ReferenceSimulator(network).run(drive, 0, EVERYTHING), simulator.run(drive, 0, EVERYTHING))
    assert set(simulator.work[1].algorithms) == {"tiles"}


@needs_gcc
def test_tensor_cores_are_used_where_they_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = network_of("wide_64", "data-norm", "direct", 3)
    drive = drive_of(network, "direct", 2)
    device = HostDevice(network, tmp_path)
    simulator = device.simulator()
    recording = simulator.run(drive, 0, EVERYTHING)
    # a tile has 64 columns, too many for the readout's four
    assert [set(work.algorithms) for work in simulator.work] == [{"tiles"}, {"events"}]
    assert recording.raster is not None
    for work in simulator.work:
        assert work.density == pytest.approx((recording.raster[work.source] != 0).mean())
    # Turing's tensor cores multiply bytes, those before it do not
    monkeypatch.setenv("CUDA_HOST_CAPABILITY", "75")
    turing = device.simulator()
    assert_same(recording, turing.run(drive, 0, EVERYTHING))
    assert [set(work.algorithms) for work in turing.work] == [{"tiles"}, {"events"}]
    monkeypatch.setenv("CUDA_HOST_CAPABILITY", "70")
    older = device.simulator("dense")
    assert_same(recording, older.run(drive, 0, EVERYTHING))
    assert [set(work.algorithms) for work in older.work] == [{"events"}, {"events"}]


@pytest.mark.slow
@needs_gcc
def test_samples_that_do_not_fit_at_once_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = network_of("residual_shortcut", "data-norm", "poisson", 50)
    drive = drive_of(network, "poisson", 40)
    expected = ReferenceSimulator(network).run(drive, 7, EVERYTHING)
    device = HostDevice(network, tmp_path)
    for megabytes in (80, 1):  # of which 64 are left to the driver where there are more samples than one
        monkeypatch.setenv("CUDA_HOST_MEMORY", str(megabytes << 20))
        assert_same(expected, device.simulator().run(drive, 7, EVERYTHING))


@pytest.mark.slow
@needs_gcc
def test_a_spike_count_readout_keeps_the_contract_on_the_device(tmp_path: Path) -> None:
    network = converted("relu_output", "poisson", readout="spike-count")
    drive = drive_of(network, "poisson")
    expected = ReferenceSimulator(network).run(drive, 0, EVERYTHING)
    assert_same(expected, HostDevice(network, tmp_path).simulator().run(drive, 0, EVERYTHING))


@pytest.mark.slow
@needs_gcc
def test_weights_beyond_16_bits_are_exact_without_tensor_cores(tmp_path: Path) -> None:
    base = network_of("residual_shortcut", "data-norm", "poisson-signed", 0)
    connections = tuple(
        replace(c, connectivity=c.connectivity.with_weights(c.connectivity.weights * 9)) for c in base.connections
    )  # an odd factor: weights that are all even would have a granule
    network = replace(base, connections=connections)
    drive = drive_of(network, "poisson-signed")
    simulator = HostDevice(network, tmp_path).simulator("dense")
    assert_same(ReferenceSimulator(network).run(drive, 0, EVERYTHING), simulator.run(drive, 0, EVERYTHING))
    assert any("events" in work.algorithms for work in simulator.work)


# what differs most: staged and not, with and without tensor cores, a direct input
COMPILED = [("concat_pool_conv", "burst", "direct"), ("max_pool_skip", "few-spike", "few-spike")]


@needs_nvcc
@pytest.mark.slow
@pytest.mark.parametrize(("name", "method", "encoder"), COMPILED)
@pytest.mark.parametrize("architecture", ["sm_75", "sm_90"])
def test_nvcc_compiles_it_without_warnings(
    tmp_path: Path, architecture: str, name: str, method: str, encoder: str
) -> None:
    directory = emit(network_of(name, method, encoder, 0), tmp_path, "cuda")
    command = ["nvcc", "-std=c++17", "-O1", f"-arch={architecture}", "--fmad=false", "-Werror", "all-warnings"]
    command += ["-Xcompiler", "-Wall,-Wextra,-fPIC", "-c", "-o", str(tmp_path / "network.o")]
    done = subprocess.run([*command, str(directory / "network.cu")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@needs_nvcc
@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_all_that_a_thread_works_on_is_in_its_registers(tmp_path: Path, architecture: str) -> None:
    directory = emit(network_of("wide_64", "data-norm", "if", 7), tmp_path, "cuda")
    command = ["nvcc", *FLAGS, f"-arch={architecture}", "-Xptxas=-v", "-c", "-o", str(tmp_path / "network.o")]
    done = subprocess.run([*command, str(directory / "network.cu")], capture_output=True, text=True, check=True)
    memory = set(re.findall(r"(\d+) bytes (stack frame|spill \w+)", done.stderr))
    assert memory == {("0", "stack frame"), ("0", "spill stores"), ("0", "spill loads")}


@needs_nvcc
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs cmake")
def test_the_directory_builds_with_cmake_and_nvcc(tmp_path: Path) -> None:
    directory = emit(converted("dense", "poisson"), tmp_path / "source", "cuda")
    made = tmp_path / "made"
    architecture = "-DCMAKE_CUDA_ARCHITECTURES=80"  # one of the three that are the default, to be quick
    for command in (
        ["cmake", "-S", str(directory), "-B", str(made), architecture],
        ["cmake", "--build", str(made)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (made / "kgenn_classify").exists()


@needs_gcc
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "method", "encoder"),
    [("wide_64", "data-norm", "direct"), ("wide_100", "few-spike", "few-spike"), COMPILED[1]],
)
def test_no_thread_reaches_beyond_an_array_of_the_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, method: str, encoder: str
) -> None:
    network = network_of(name, method, encoder, 5)
    directory = emit(network, tmp_path, "cuda")
    program = build_executable(directory, "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    # fibers are not its fibers; of that it would warn
    monkeypatch.setenv("ASAN_OPTIONS", "detect_stack_use_after_return=0:log_path=/dev/null")
    x = inputs_of(network, encoder, 2)
    scores = ReferenceSimulator(network).run(network.drive(x), 0).scores[:, -1]
    assert classify(program, directory, x) == scores.argmax(axis=1).tolist()


def test_the_header_is_plain_c(tmp_path: Path) -> None:
    directory = emit(converted("dense"), tmp_path, "cuda")
    (tmp_path / "use.c").write_text('#include "kgenn_network.h"\nint main(void) { return KGENN_OK; }\n')
    compiler = shutil.which("gcc") or pytest.skip("needs gcc")
    command = [compiler, "-std=c99", *WARNINGS, "-fsyntax-only", str(directory / "use.c")]
    subprocess.run(command, check=True)


@pytest.mark.golden
@pytest.mark.parametrize(("name", "method", "encoder"), [("pool_add", "data-norm", "poisson"), COMPILED[1]])
def test_emitted_text_is_as_reviewed(name: str, method: str, encoder: str, golden: Path, update: bool) -> None:
    path = golden / f"cuda_{name}_{encoder}.cu.txt"
    text = TARGETS.get("cuda")().emit(network_of(name, method, encoder, 0)).files["network.cu"].decode()
    if update:
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), (
        "review the change, then run: pytest -m golden --update-golden"
    )


def test_its_sources_depend_on_the_structure_alone() -> None:
    def sources(network: Network) -> dict[str, bytes]:
        files = TARGETS.get("cuda")().emit(network).files
        assert set(files) == {*TEMPLATES, WEIGHTS}
        return {name: content for name, content in files.items() if name != WEIGHTS}

    base = converted("residual_shortcut", "poisson")
    weights = tuple(
        replace(c, connectivity=c.connectivity.with_weights(c.connectivity.weights + 1)) for c in base.connections
    )
    assert sources(replace(base, connections=weights, num_timesteps=99, seed=8)) == sources(base)


@pytest.mark.parametrize(
    ("name", "encoder"),
    leading([("residual_shortcut", "poisson"), ("pool_input", "direct"), ("bias_conv", "direct")]),
)
def test_inputs_that_change_with_time_give_the_spikes_of_the_reference(
    tmp_path: Path, name: str, encoder: str
) -> None:
    network = changing(converted(name, encoder, num_timesteps=40))
    drive = network.drive(frames(network, encoder, 5))
    expected = ReferenceSimulator(network).run(drive, 3, EVERYTHING)
    device = HostDevice(network, tmp_path)
    for way in get_args(SynapseAlgorithm):
        assert_same(expected, device.simulator(way).run(drive, 3, EVERYTHING))
