"""An output directory, a configuration or results that were changed by hand are a diagnostic."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.fuzz.seeds import CELL, CONFIG, Input, seeds
from kgenn.artifact.directory import MANIFEST, NETWORK, read_directory
from kgenn.backends.base import RunOptions
from kgenn.backends.cpp_program import emit_cpp
from kgenn.backends.cpp_sizes import HEADER, check_sizes
from kgenn.backends.program_context import WEIGHTS
from kgenn.backends.reference import Reference
from kgenn.bench.config import read_configs
from kgenn.bench.store import read_lines
from kgenn.cli import invoke
from kgenn.diagnostics import KgennError
from kgenn.ir.archive import arrays
from kgenn.ir.serialise import npz_bytes

pytestmark = pytest.mark.quick

Plain = dict[str, Any]


@pytest.fixture(scope="module")
def seed() -> Input:
    (found,) = seeds("directory")
    return found


def written(folder: Path, seed: Input, network: Callable[[Plain], object], **changed: Any) -> Path:
    """Write the seed with a changed manifest and changed arrays, whose names may leave out "network."."""
    manifest = json.loads(seed.files[MANIFEST])
    network(manifest["network"])
    (folder / MANIFEST).write_text(json.dumps(manifest))
    (folder / NETWORK).write_bytes(seed.files[NETWORK])
    with arrays(folder / NETWORK) as stored:
        held: Mapping[str, Any] = {**stored, **{f"network.{name}": array for name, array in changed.items()}}
    (folder / NETWORK).write_bytes(npz_bytes(held))
    return folder


def refused(folder: Path) -> str:
    with pytest.raises(KgennError) as caught:
        read_directory(folder)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "KG605"
    return diagnostic.what


def test_the_seed_is_read_and_runs(tmp_path: Path, seed: Input) -> None:
    network = read_directory(written(tmp_path, seed, lambda plain: None)).network
    scores = Reference().load(network, None, RunOptions()).run(network.drive(np.ones((1, 4, 4, 2))), 0).scores
    assert np.isfinite(scores).all()


def put(*path: Any) -> Callable[[Plain], None]:
    """Return a change that puts the last of its arguments at the place that the others lead to."""

    def change(plain: Any) -> None:
        *steps, last, value = path
        for step in steps:
            plain = plain[step]
        plain[last] = value

    return change


NEURON = ("populations", 1, "neuron")
CONVOLUTION = ("connections", 0, "connectivity")
CHANGES = {
    "a text for steps": put("num_timesteps", "4"),
    "a truth value for steps": put("num_timesteps", True),
    "no steps": put("num_timesteps", 0),
    "an infinite level": put("inputs", 0, "coding", "high", float("inf")),
    "an unknown code": put("code_name", "other"),
    "an unknown class": put("inputs", 0, "coding", "class", "Path"),
    "no population": put("populations", []),
    "no input": put("inputs", []),
    "no output": put("outputs", []),
    "an input of no population": put("inputs", 0, "name", "none"),
    "an input that is text": put("inputs", 0, "image"),
    "an input of another shape": put("inputs", 0, "shape", [4, 4]),
    "an output of no population": put("outputs", 0, "population", "none"),
    "a number for populations": put("populations", 3),
    "a population that is text": put("populations", 0, "x"),
    "two populations of one name": put("populations", 1, "name", "x"),
    "a shape of text": put("populations", 1, "shape", ["a"]),
    "a negative shape": put("populations", 1, "shape", [-4, -4, 3]),
    "a huge shape": put("populations", 1, "shape", [10**9, 10**9, 3]),
    "another shape": put("populations", 1, "shape", [4, 4, 2]),
    "a source that does not exist": put("connections", 0, "source", "none"),
    "a connection backwards": put("connections", 0, "target", "x"),
    "weights that are text": put(*CONVOLUTION, "weights", "x"),
    "weights of another layer": put(*CONVOLUTION, "weights", {"array": "network.populations.5.bias"}),
    "weights that are not there": put(*CONVOLUTION, "weights", {"array": "none"}),
    "strides of zero": put(*CONVOLUTION, "strides", [0, 1]),
    "three strides": put(*CONVOLUTION, "strides", [1, 1, 1]),
    "negative pads": put(*CONVOLUTION, "pads", [[-1, 0], [0, 0]]),
    "huge pads": put(*CONVOLUTION, "pads", [[2**40, 0], [0, 0]]),
    "no groups": put(*CONVOLUTION, "groups", 0),
    "another image": put(*CONVOLUTION, "in_shape", [4, 8, 1]),
    "more targets": put(*CONVOLUTION, "out_shape", [9, 9, 3]),
    "axes that are none": put("inputs", 0, "transform", "axes", [0, 0, 5]),
    "a state that no code can hold": put(*NEURON, "state", {"mapping": [["v; system(1); float w", 0.0]]}),
    "a parameter that no code can hold": put(*NEURON, "params", {"mapping": [["v_thresh = 1; //", 1.0]]}),
    "a model that no code can hold": put(*NEURON, "name", 'f"""\nimport os'),
    "a call": put(*NEURON, "update", "v += __import__('os').system('true')"),
    "an attribute": put(*NEURON, "threshold", "v.__class__ >= 1"),
    "no code": put(*NEURON, "update", "v += ("),
    "deep code": put(*NEURON, "update", "v += " + "-" * 5000 + "1"),
    "a mapping of three": put("populations", 1, "params", {"mapping": [["v_thresh", 1.0, 2.0]]}),
    "a value for no parameter": put("populations", 1, "params", {"mapping": [["other", 1.0]]}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_manifest_is_refused(tmp_path: Path, seed: Input, change: Callable[[Plain], None]) -> None:
    refused(written(tmp_path, seed, change))


RECORD = {
    "a list for the target": {"target": ["cpu"]},
    "a number for the scale": {"scale": 3},
    "no converter": {"converter": None},
    "a converter without options": {"converter": {"name": "data-norm"}},
    "options of lists": {"converter": {"name": "data-norm", "options": {"percentile": [1]}}},
    "features of nothing": {"features": None},
    "populations inserted by nothing": {"inserted": None},
    "a number that is none": {"seed": float("inf")},
}


@pytest.mark.parametrize("changed", RECORD.values(), ids=RECORD)
def test_a_changed_record_is_refused(tmp_path: Path, seed: Input, changed: dict[str, Any]) -> None:
    written(tmp_path, seed, lambda plain: None)
    text = json.dumps({**json.loads(seed.files[MANIFEST]), **changed})
    (tmp_path / MANIFEST).write_text(text.replace("Infinity", "1e400"))
    refused(tmp_path)


def test_a_recorded_option_of_another_type_is_a_diagnostic_of_cite(
    tmp_path: Path, seed: Input, capfd: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, seed, lambda plain: None)
    converter = {"name": "data-norm", "options": {"percentile": "x"}}
    (tmp_path / MANIFEST).write_text(json.dumps({**json.loads(seed.files[MANIFEST]), "converter": converter}))
    assert invoke(["cite", str(tmp_path)]) == 1
    assert "KG401" in capfd.readouterr().err


SPARSE = "connections.5.connectivity"
ARRAYS = {
    "a target that does not exist": {f"{SPARSE}.indices": np.full(12, 4, np.int32)},
    "a negative target": {f"{SPARSE}.indices": np.full(12, -1, np.int32)},
    "targets that are no integers": {f"{SPARSE}.indices": np.zeros(12)},
    "rows beyond the end": {f"{SPARSE}.indptr": np.arange(13) * 100},
    "rows backwards": {f"{SPARSE}.indptr": np.array([0, 9, 3, *[12] * 10])},
    "rows of texts": {f"{SPARSE}.indptr": np.full(13, "a")},
    "weights not finite": {"connections.0.connectivity.weights": np.full((2, 2, 2, 3), np.nan)},
    "complex weights": {"connections.0.connectivity.weights": np.ones((2, 2, 2, 3), complex)},
    "a bias too short": {"populations.5.bias": np.zeros(3, np.float32)},
    "a scale of another shape": {"populations.1.scale": np.ones(7)},
    "a transform of another shape": {"inputs.0.transform.scale": np.ones((9, 9, 9))},
}


@pytest.mark.parametrize("changed", ARRAYS.values(), ids=ARRAYS)
def test_changed_arrays_are_refused(tmp_path: Path, seed: Input, changed: dict[str, Any]) -> None:
    refused(written(tmp_path, seed, lambda plain: None, **changed))


def test_a_manifest_that_is_nested_too_deep_is_refused(tmp_path: Path, seed: Input) -> None:
    written(tmp_path, seed, lambda plain: None)
    (tmp_path / MANIFEST).write_text("[" * 100_000)
    refused(tmp_path)


def test_a_configuration_that_is_nested_too_deep_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sweep.toml"
    path.write_text(CONFIG)
    assert len(read_configs([path])[0].cells) == 4
    path.write_text(f"{CONFIG}\nmore = {'[' * 5000}")
    with pytest.raises(KgennError, match="KG620"):
        read_configs([path])


@pytest.mark.parametrize("value", [10**400, "[" * 10_000])
def test_results_with_numbers_or_nesting_beyond_bounds_are_refused(tmp_path: Path, value: Any) -> None:
    from kgenn.report.sweep.results import read_results

    (found,) = seeds("cells")
    (tmp_path / "sweep.json").write_bytes(found.files["sweep.json"])
    cell = copy.deepcopy(CELL)
    cell["result"]["accuracy"] = value if isinstance(value, int) else "here"
    text = json.dumps(cell) if isinstance(value, int) else json.dumps(cell).replace('"here"', value)
    (tmp_path / "cells.jsonl").write_text(text + "\n")
    with pytest.raises(KgennError, match="KG631"):
        read_results(tmp_path)
    if not isinstance(value, int):
        with pytest.raises(KgennError, match="KG622"):
            read_lines(tmp_path)


def test_a_program_of_another_network_is_not_loaded(tmp_path: Path, seed: Input) -> None:
    network = read_directory(written(tmp_path, seed, lambda plain: None)).network
    files = emit_cpp(network).files
    check_sizes(network, files, WEIGHTS)
    longer = replace(network, num_timesteps=network.num_timesteps + 1)
    header = files[HEADER].replace(b"NUM_NEURONS ", b"NUM_NEURONS 1")
    for other, found in (
        (longer, files),
        (network, {**files, HEADER: header}),
        (network, {**files, WEIGHTS: b""}),
    ):
        with pytest.raises(KgennError, match="KG504"):
            check_sizes(other, found, WEIGHTS)
