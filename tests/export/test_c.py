"""Integer C for microcontrollers: freestanding, and spike for spike what the reference gives."""

from __future__ import annotations

import ctypes
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from bare_machine import Machine, run
from covering import leading
from kgenn.backends.reference import ReferenceSimulator
from kgenn.conversion.base import Converter
from kgenn.conversion.burst import Burst
from kgenn.conversion.calibrated import Calibrated
from kgenn.conversion.data_norm import DataNorm
from kgenn.conversion.few_spike import FewSpike
from kgenn.conversion.fission import Fission
from kgenn.diagnostics import KgennError
from kgenn.export.c import CSources
from kgenn.ir.network import Network, ReadoutKind
from recordings import changing, converted, drive_of, frames

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")

CASES: list[tuple[str, str, Converter | None, ReadoutKind | None, int]] = [
    ("residual_shortcut", "poisson", None, None, 21),
    ("concat_pool_conv", "poisson-signed", None, "current", 21),
    ("conv_groups", "spike", None, None, 200),
    ("conv_same", "direct", None, None, 21),
    ("bias_conv", "if", DataNorm(reset="zero"), "spike-count", 40),
    ("upsample_bilinear_conv", "poisson", None, None, 21),
    ("linear", "direct", None, None, 21),
    ("conv_same", "direct", Fission(), None, 5),
    ("residual_relu", "if", Fission(copies=2), None, 9),
]


@pytest.mark.parametrize(("name", "encoder", "converter", "readout", "steps"), leading(CASES, 3))
def test_it_gives_the_scores_of_the_reference_after_every_step(
    tmp_path: Path, name: str, encoder: str, converter: Converter | None, readout: ReadoutKind | None, steps: int
) -> None:
    network = converted(name, encoder, converter, readout=readout, num_timesteps=steps)
    drive = drive_of(network, encoder, 2)
    expected = ReferenceSimulator(network).run(drive, 5)
    machine = Machine(network, tmp_path)
    for sample in (0, 1, 0):
        machine.call("reset", 5 + sample)
        values = np.ascontiguousarray(drive[sample], machine.value)
        for step in range(steps):
            assert machine.step(values if step == 0 else None) == 0
            assert np.array_equal(machine.scores, expected.scores[sample, step])
        assert machine.call("class", 0) == expected.scores[sample, -1].argmax()
        assert machine.step(values) == 1


def test_a_stream_of_frames_gives_the_scores_of_the_reference(tmp_path: Path) -> None:
    network = changing(converted("skip_to_readout", "spike", num_timesteps=100))
    x = frames(network, "spike", 1)
    expected = ReferenceSimulator(network).run(network.drive(x), 0)
    machine = Machine(network, tmp_path)
    machine.call("reset", 0)
    for step, frame in enumerate(network.drive(x)[0].astype(machine.value)):
        assert machine.step(np.ascontiguousarray(frame)) == 0
        assert np.array_equal(machine.scores, expected.scores[0, step])


def test_it_needs_nothing_that_a_bare_machine_lacks(tmp_path: Path) -> None:
    machine = Machine(converted("residual_shortcut", "poisson"), tmp_path)
    joined = str(tmp_path / "all.o")
    objects = [str(machine.compile(tmp_path, f"tiny_{part}.c", "-fno-pic")) for part in ("network", "weights")]
    run("gcc", "-nostdlib", "-r", "-o", joined, *objects)
    assert run("nm", "--undefined-only", joined).split() == []
    writable = [line for line in run("nm", joined).splitlines() if line.split()[1] in "bBdDcC"]
    assert writable == []


def test_a_step_that_cannot_run_says_why(tmp_path: Path) -> None:
    network = converted("dense", "if")
    machine = Machine(network, tmp_path)
    machine.call("reset", 0)
    assert machine.step(None) == 3
    assert machine.step(np.full(network.num_inputs, 1 << 21, np.int32)) == 2
    assert machine.step(np.zeros(network.num_inputs, np.int32)) == 0
    assert machine.call("class", 1) == -1


def test_bytes_of_pixels_drive_what_scaled_pixels_drive(tmp_path: Path) -> None:
    base = converted("conv_same", "direct")
    network = with_scale(base)
    pixels = np.random.default_rng(4).integers(0, 200, (1, *network.input_shape), np.uint8)
    x = (pixels.astype(np.float64) / 255).astype(np.float32)
    expected = ReferenceSimulator(network).run(network.drive(x), 0)
    machine = Machine(network, tmp_path)
    assert "times 1/255" in (tmp_path / "tiny_network.h").read_text()
    machine.call("reset", 0)
    for step in range(network.num_timesteps):
        assert machine.step(np.ascontiguousarray(pixels.ravel()) if step == 0 else None) == 0
        assert np.array_equal(machine.scores, expected.scores[0, step])


def with_scale(network: Network) -> Network:
    return replace(network, origin={"scale": str(Fraction(1, 255))})


@pytest.mark.parametrize(
    ("converter", "encoder", "steps"),
    [(FewSpike(), "few-spike", 7), (Burst(), "poisson", 21), (Calibrated(), "direct", 8)],
)
def test_what_it_cannot_hold_is_refused(converter: Converter, encoder: str, steps: int) -> None:
    network = converted("residual_relu", encoder, converter, num_timesteps=steps)
    with pytest.raises(KgennError) as error:
        CSources().emit(network, "tiny")
    assert {d.code for d in error.value.diagnostics} == {"KG412"}


@pytest.mark.parametrize(
    "value", [0, 1, 2**24 + 1, 2**24 + 3, 2**25 - 1, -(2**25) - 6, 2**50 + 2**25, 2**50 + 3 * 2**25, 2**62 - 1]
)
def test_rounding_is_that_of_float32(tmp_path: Path, value: int) -> None:
    source = CSources().emit(converted("residual_relu", "if"), "tiny").files["tiny_network.c"].decode()
    start = source.index("static int64_t rounded")
    body = source[start : source.index("\n}\n", start) + 3].removeprefix("static ")
    (tmp_path / "rounded.c").write_text("#include <stdint.h>\n" + body)
    run("gcc", "-std=c99", "-shared", "-fPIC", "-o", str(tmp_path / "rounded.so"), str(tmp_path / "rounded.c"))
    function = ctypes.CDLL(str(tmp_path / "rounded.so")).rounded
    function.restype, function.argtypes = ctypes.c_int64, [ctypes.c_int64]
    assert function(value) == int(np.float32(np.int64(value)))
