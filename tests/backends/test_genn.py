"""The GeNN targets: the emitted program, and on real GeNN the same spikes as everywhere else."""

from __future__ import annotations

import ast
import re
import stat
import sys
from dataclasses import replace
from importlib.machinery import ModuleSpec
from itertools import cycle
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from genn_python import genn_python
from kgenn.artifact.directory import Artifact
from kgenn.backends import TARGETS, RunOptions, genn_connectivity, genn_worker
from kgenn.backends.base import Program
from kgenn.backends.genn import GennSimulator
from kgenn.backends.genn_connectivity import Device
from kgenn.backends.genn_program import MODEL, emit_genn
from kgenn.backends.genn_worker import no_device
from kgenn.backends.pipeline import PipelineSimulator
from kgenn.compiled import CompiledNetwork
from kgenn.conversion.base import Converter
from kgenn.conversion.data_norm import DataNorm
from kgenn.conversion.few_spike import FewSpike
from kgenn.conversion.time_to_first_spike import TimeToFirstSpike
from kgenn.diagnostics import KgennError
from kgenn.ir.network import Network
from kgenn.ir.recording import RecordingOptions
from kgenn.passes import LoweringOptions
from looped import looped
from networks import ENCODERS, RECIPES
from recordings import (
    EVERYTHING,
    METHODS,
    NUM_TIMESTEPS,
    assert_same,
    changing,
    compiled,
    converted,
    drive_of,
    frames,
    inputs_of,
)
from wide_pools import images, wide

NAMES = sorted(RECIPES)
SPIKING = [name for name in ENCODERS if name != "direct"]
DEVICES: tuple[Device, ...] = ("cpu", "cuda")


def source(network: Network, device: Device = "cpu") -> str:
    return emit_genn(network, device).files[MODEL].decode()


@pytest.fixture
def genn() -> str:
    """Return the interpreter that has pygenn; skip the test before it computes anything where there is none."""
    return genn_python()


def on_genn(network: Network, device: Device = "cpu") -> GennSimulator:
    """Return a network on GeNN's CPU backend, with the connectivity of either device."""
    options = RunOptions(genn_python=genn_python())
    program = emit_genn(network, device)
    text = program.files[MODEL].replace(b'BACKEND = "cuda"', b'BACKEND = "single_threaded_cpu"')
    return GennSimulator(network, "cpu", Program({**program.files, MODEL: text}), None, options)


# each network with one spiking encoder, in turn, beside direct input
PAIRS = [(name, "direct") for name in NAMES]
PAIRS += [(name, SPIKING[i % len(SPIKING)]) for i, name in enumerate(NAMES)]


@pytest.mark.parametrize(("name", "encoder"), PAIRS)
def test_genn_fires_the_same_spikes_as_generated_cpp(name: str, encoder: str, genn: str) -> None:
    network = converted(name, encoder)
    drive = drive_of(network, encoder)
    found = on_genn(network).run(drive, 5, EVERYTHING)
    assert_same(found, compiled(network).run(drive, 5, EVERYTHING))


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("readout", ["current", "spike-count"])
def test_genn_agrees_for_every_encoder_and_readout(encoder: str, readout: str) -> None:
    lowering = LoweringOptions("identity", "population")
    network = converted("residual_plain", encoder, None, lowering, readout)  # type: ignore[arg-type]
    drive = drive_of(network, encoder)
    expected = PipelineSimulator(network).run(drive, 0, EVERYTHING)
    assert_same(on_genn(network).run(drive, 0, EVERYTHING), expected)


# of a rate code, a staged one, and one that needs double precision for what a stage brings, not for a step
DOUBLE = [(DataNorm(channelwise=True), 6, "direct"), (FewSpike(), 12, "direct"), (FewSpike(), 4, "few-spike")]


@pytest.mark.parametrize(("converter", "num_timesteps", "encoder"), DOUBLE)
def test_genn_fires_the_same_spikes_in_double_precision(
    converter: Converter, num_timesteps: int, encoder: str
) -> None:
    network = wide(converter, num_timesteps, encoder)
    drive = network.drive(images(2, seed=4))
    expected = PipelineSimulator(network).run(drive, 0, EVERYTHING)
    assert_same(on_genn(network).run(drive, 0, EVERYTHING), expected)


def test_a_model_is_double_where_a_step_needs_it_and_float_elsewhere() -> None:
    assert 'GeNNModel("double"' in source(wide(DataNorm(channelwise=True), 6, "direct"))
    assert 'GeNNModel("float"' in source(converted("dense", "direct", FewSpike(), num_timesteps=7))


# links over depths, sums, concatenations, and max poolings of every code; spikes with signs and numbers
METHOD_CASES = [
    ("few-spike", "skip_to_readout", "few-spike-signed"),
    ("few-spike", "residual_shortcut", "direct"),
    ("few-spike", "max_pool_skip", "few-spike"),
    ("ttfs", "skip_to_readout", "ttfs"),
    ("ttfs", "max_pool_skip", "direct"),
    ("ttfs", "bias_conv", "ttfs"),
    ("burst", "residual_relu", "poisson-signed"),
    ("burst", "max_pool_overlapping_same", "direct"),
    ("threshold-relu", "concat_conv", "if"),
    ("spike-norm", "residual_relu", "direct"),
    ("calibrated", "skip_to_readout", "direct"),
    ("calibrated", "max_pool_conv", "direct"),
    ("fission", "residual_relu", "direct"),
    ("fission", "max_pool_skip", "poisson"),
    ("fission", "concat_pool_conv", "if"),
]


@pytest.mark.parametrize(("method", "name", "encoder"), METHOD_CASES)
def test_genn_fires_the_same_spikes_for_every_method(method: str, name: str, encoder: str) -> None:
    converter, (steps, *_) = METHODS[method]
    network = converted(name, encoder, converter, num_timesteps=steps)
    drive = drive_of(network, encoder)
    expected = PipelineSimulator(network).run(drive, 5, EVERYTHING)
    simulator = on_genn(network)
    assert_same(simulator.run(drive, 5, EVERYTHING), expected)
    last = simulator.run(drive, 5, RecordingOptions(curve=False))
    assert np.array_equal(last.scores, expected.scores[:, -1:])


@pytest.mark.parametrize(
    "name",
    [
        *("conv_same", "conv_even_same", "conv_asymmetric", "residual_relu", "concat_conv", "pool_conv"),
        *("conv_strided", "conv_strided_valid", "pool_conv_strided", "conv_dilated", "conv_groups"),
    ],
)
def test_matrices_for_cuda_give_the_same_spikes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = converted(name, "poisson")
    drive = drive_of(network, "poisson")
    found = on_genn(network, "cuda").run(drive, 0, EVERYTHING)
    expected = compiled(network).run(drive, 0, EVERYTHING)
    assert_same(found, expected)
    assert "TOEPLITZ" not in source(network, "cuda")
    monkeypatch.setattr(genn_connectivity, "MAX_THREADS", 0)
    assert "TOEPLITZ" in source(network, "cuda")
    assert_same(on_genn(network, "cuda").run(drive, 0, EVERYTHING), expected)


def test_batches_on_genn_follow_one_another_without_stale_spikes() -> None:
    network = converted("residual_plain", "poisson")
    drive = drive_of(network, "poisson", 6)
    simulator = on_genn(network)
    whole = simulator.run(drive, 0)
    parts = [simulator.run(drive[i : i + 2], i) for i in range(0, 6, 2)]
    assert np.array_equal(whole.scores, np.concatenate([p.scores for p in parts]))
    for name, counts in whole.spike_counts.items():
        assert np.array_equal(counts, np.concatenate([p.spike_counts[name] for p in parts]))


@looped("name, encoder, device", list(zip(NAMES, cycle(ENCODERS), cycle(DEVICES), strict=False)))
def test_emitted_programs_are_python(name: str, encoder: str, device: Device) -> None:
    assert_python(name, encoder, device)


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("encoder", ENCODERS)
@looped("name", NAMES)
def test_every_emitted_program_is_python(name: str, encoder: str, device: Device) -> None:
    assert_python(name, encoder, device)


def assert_python(name: str, encoder: str, device: Device) -> None:
    """Fail where a program is not Python, or imports more than it needs."""
    text = source(converted(name, encoder), device)
    assert all(line == line.rstrip() for line in text.splitlines())
    tree = ast.parse(text)
    imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    imported |= {alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    assert imported == {"argparse", "os", "subprocess", "zipfile", "pathlib", "numpy", "pygenn"}


def test_the_same_network_gives_the_same_bytes_and_other_weights_the_same_program() -> None:
    network = converted("pool_conv", "poisson")
    assert emit_genn(network, "cpu").files == emit_genn(network, "cpu").files
    first, *rest = network.connections
    doubled = replace(first, connectivity=first.connectivity.with_weights(first.connectivity.weights * 2))
    other = replace(network, connections=(doubled, *rest))
    assert source(other) == source(network)


def test_names_from_a_model_file_cannot_leave_comments_and_docstrings() -> None:
    network = converted("dense", "direct")
    hostile = 'x"""\nimport os\n#\\'
    last = replace(network.populations[-1], name=hostile)
    connections = tuple(
        replace(c, target=hostile) if c.target == network.populations[-1].name else c for c in network.connections
    )
    populations = (*network.populations[:-1], last)
    outputs = (replace(network.outputs[0], name=hostile, population=hostile),)
    renamed = replace(network, name=hostile, populations=populations, connections=connections, outputs=outputs)
    plain, changed = ast.parse(source(network)), ast.parse(source(renamed))
    assert len(plain.body) == len(changed.body)
    assert [type(node) for node in ast.walk(plain)] == [type(node) for node in ast.walk(changed)]


def rounded(text: str) -> str:
    """Return a text whose numbers have six digits: the last ones depend on the processor's sums."""
    return re.sub(r"\d+\.\d{7,}(e-?\d+)?", lambda found: f"{float(found[0]):.6g}", text)


@pytest.mark.golden
@pytest.mark.parametrize(
    ("name", "encoder", "device"),
    [
        ("residual_plain", "poisson-signed", "cpu"),
        ("conv_same", "if", "cuda"),
        ("bias_before_pool_conv", "direct", "cpu"),
        ("max_pool_skip", "few-spike", "cpu"),
        ("skip_to_readout", "ttfs", "cpu"),
    ],
)
def test_emitted_text_is_as_reviewed(
    name: str, encoder: str, device: Device, golden: Path, update: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(genn_connectivity, "MAX_THREADS", 0)  # or every matrix of so small a network is dense
    path = golden / f"genn_{name}_{encoder}_{device}.py.txt"
    converter = {"few-spike": FewSpike(), "ttfs": TimeToFirstSpike()}.get(encoder)
    text = source(converted(name, encoder, converter, num_timesteps=8 if converter else NUM_TIMESTEPS), device)
    if update:
        path.write_text(text, encoding="utf-8")
    assert rounded(text) == rounded(path.read_text(encoding="utf-8")), (
        "review the change, then run: pytest -m golden --update-golden"
    )


def fake_python(directory: Path, body: str) -> str:
    """Return an interpreter that runs a shell script instead."""
    path = directory / "python"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def failing_run(python: str, target: str = "genn-cpu") -> KgennError:
    network = converted("dense", "direct")
    simulator = TARGETS.get(target)().load(network, None, RunOptions(genn_python=python))
    with pytest.raises(KgennError) as caught:
        simulator.run(drive_of(network, "direct"), 0)
    return caught.value


def test_missing_interpreter_and_missing_pygenn_are_one_diagnostic(tmp_path: Path) -> None:
    for python in (str(tmp_path / "nowhere"), fake_python(tmp_path, f'exec {sys.executable} -S -I "$@"')):
        error = failing_run(python)
        assert [d.code for d in error.diagnostics] in (["KG505"], ["KG506"])
        assert error.exit_code == 3


@pytest.mark.parametrize(("target", "expected"), [("genn-cpu", 1), ("genn-cuda", 3)])
def test_the_batch_size_of_a_run_is_that_of_genn_on_cuda(tmp_path: Path, target: str, expected: int) -> None:
    network = converted("dense", "direct")
    python = fake_python(tmp_path, 'echo "$4" >&2; exit 1')
    simulator = TARGETS.get(target)().load(network, None, RunOptions(genn_python=python))
    compiled_network = CompiledNetwork(Artifact(network, target), simulator)
    with pytest.raises(KgennError) as caught:
        compiled_network.evaluate(inputs_of(network, "direct"), batch_size=3)
    assert f'"batch_size": {expected},' in caught.value.diagnostics[0].what


@pytest.mark.parametrize(("target", "expected"), [("genn-cpu", 1), ("genn-cuda", 1023)])
def test_a_batch_that_genn_does_not_take_runs_in_parts(tmp_path: Path, target: str, expected: int) -> None:
    python = fake_python(tmp_path, 'echo "$4" >&2; exit 1')
    simulator = TARGETS.get(target)().load(converted("dense", "direct"), None, RunOptions(genn_python=python))
    with pytest.raises(KgennError) as caught:
        simulator.prepare(False, 5000)
    assert f'"batch_size": {expected},' in caught.value.diagnostics[0].what


def test_interpreter_without_pygenn_names_the_installation_page(tmp_path: Path) -> None:
    answer = '{"missing": "the package pygenn is not installed"}'
    error = failing_run(fake_python(tmp_path, f"echo '{answer}'"))
    (diagnostic,) = error.diagnostics
    assert diagnostic.code == "KG505"
    assert "genn-team" in diagnostic.help
    assert "--target cpu" in diagnostic.help


def test_a_process_that_dies_leaves_the_lines_of_its_log_that_matter(tmp_path: Path) -> None:
    body = "echo chatter >&2; echo 'runner.cc:7: error: no such thing' >&2; kill -ABRT $$"
    (diagnostic,) = failing_run(fake_python(tmp_path, body)).diagnostics
    assert diagnostic.code == "KG506"
    assert "ended by signal 6" in diagnostic.what
    assert "error: no such thing" in diagnostic.what
    assert "chatter" not in diagnostic.what


def test_no_cuda_device_is_a_diagnostic(tmp_path: Path) -> None:
    answer = '{"no_device": "the CUDA driver finds no device"}'
    (diagnostic,) = failing_run(fake_python(tmp_path, f"echo '{answer}'"), "genn-cuda").diagnostics
    assert diagnostic.code == "KG507"


@pytest.mark.parametrize(
    ("why", "expected"),
    [
        ("no driver", {"no_device": "no driver"}),
        ("", {"missing": "pygenn 5.4.0 was built without cuda; it has single_threaded_cpu"}),
    ],
)
def test_a_cuda_backend_that_finds_no_driver_is_not_said_to_be_missing(
    why: str, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pygenn: Any = ModuleType("pygenn")
    pygenn.__spec__ = ModuleSpec("pygenn", None)
    pygenn.__version__ = "5.4.0"
    pygenn.genn_model = SimpleNamespace(backend_modules={"single_threaded_cpu": None})
    monkeypatch.setitem(sys.modules, "pygenn", pygenn)
    monkeypatch.setattr(genn_worker, "no_device", lambda: why)
    assert genn_worker.missing("cuda") == expected


def test_probing_for_a_device_does_not_raise() -> None:
    assert isinstance(no_device(), str)


def test_other_weights_and_thresholds_are_not_compiled_again(tmp_path: Path) -> None:
    options = RunOptions(genn_python=genn_python())
    network = converted("conv_same", "if")
    program = emit_genn(network, "cpu")
    for name, content in program.files.items():
        (tmp_path / name).write_bytes(content)
    drive = drive_of(network, "if")
    first = GennSimulator(network, "cpu", program, tmp_path, options).run(drive, 0)
    (library,) = tmp_path.rglob("librunner.so")
    built = library.stat().st_mtime_ns

    lowered = tuple(
        replace(p, params={"v_thresh": p.params["v_thresh"] / 2}) if "v_thresh" in p.params else p
        for p in network.populations
    )
    other = replace(network, populations=lowered)
    changed = emit_genn(other, "cpu")
    assert changed.files[MODEL] == program.files[MODEL]
    for name, content in changed.files.items():
        (tmp_path / name).write_bytes(content)
    second = GennSimulator(other, "cpu", changed, tmp_path, options).run(drive, 0)
    assert library.stat().st_mtime_ns == built
    expected = compiled(other).run(drive, 0)
    for name, counts in expected.spike_counts.items():
        assert np.array_equal(second.spike_counts[name], counts)
    assert any(not np.array_equal(first.spike_counts[n], second.spike_counts[n]) for n in first.spike_counts)


@pytest.mark.parametrize(
    ("name", "encoder"), [("skip_to_readout", "poisson"), ("pool_input", "direct"), ("bias_conv", "direct")]
)
def test_genn_takes_a_frame_for_each_timestep(name: str, encoder: str) -> None:
    network = changing(converted(name, encoder))
    drive = network.drive(frames(network, encoder, 3))
    found = on_genn(network).run(drive, 2, EVERYTHING)
    assert_same(compiled(network).run(drive, 2, EVERYTHING), found)
