"""Mutated files end in diagnostics or right results; the fuzzer itself finds what it looks for."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.fuzz import check
from benchmarks.fuzz.memory import Meter
from benchmarks.fuzz.mutate import mutated, swollen
from benchmarks.fuzz.mutate_json import VALUES
from benchmarks.fuzz.seeds import seeds
from benchmarks.fuzz.worker import ended, numbered
from kgenn.diagnostics import KgennError
from kgenn.frontend import load
from model_seeds import archive, changed_config

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_hundred_mutated_files_end_well(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.fuzz", "--inputs", "105", "--seed", "77", "--json", "tally.json"]
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    written = json.loads((tmp_path / "tally.json").read_text())
    assert written["faults"] == []
    assert sum(written["tally"].values()) == 105
    assert len(written["tally"]) > 10
    # the pages of a small file may all have been there: of one kind alone, nothing need be seen
    assert max(most for most, _ in written["memory"].values()) > 0
    assert all(share < 1 for _, share in written["memory"].values())


@pytest.mark.slow
def test_every_seed_is_read(tmp_path: Path) -> None:
    for number, seed in enumerate(seeds()):
        assert check.outcome(seed, tmp_path / str(number)).startswith("read"), seed.main


def test_inputs_are_the_same_for_the_same_numbers() -> None:
    corpus = seeds("npz,toml,cells")
    first, second = ([numbered(5, n, corpus).files for n in range(40)] for _ in range(2))
    assert first == second
    assert len({repr(files) for files in first}) > 30


def test_a_fault_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path, meter: Meter) -> str:
        raise ZeroDivisionError("a fault")

    (seed,) = seeds("toml")
    monkeypatch.setitem(check.CHECKS, "toml", broken)
    assert ended(seed, tmp_path).startswith("FAULT ZeroDivisionError")


@pytest.mark.slow
def test_more_memory_than_stated_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(path: Path, meter: Meter) -> str:
        with meter.reading(path):
            np.ones(meter.stated + (300 << 20), np.uint8)
        return "read"

    (seed,) = seeds("toml")
    monkeypatch.setitem(check.CHECKS, "toml", greedy)
    assert ended(seed, tmp_path).startswith("FAULT Greedy")


def test_inputs_that_swell_are_among_the_mutations() -> None:
    members = {"config.json": b'{"a": {"trainable": true}}', "model.weights.h5": b"weights"}
    sizes = [sum(map(len, swollen(Random(number), members).values())) for number in range(20)]
    assert max(sizes) > 1 << 20


KEYS = st.sampled_from(
    ["filters", "kernel_size", "axis", "units", "padding", "activation", "batch_shape", "strides"]
)
JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(VALUES),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60)
@given(layer=st.integers(0, 13), key=KEYS, value=JSON, everywhere=st.booleans())
def test_any_value_in_a_config_is_a_diagnostic_or_a_graph(
    tmp_path_factory: pytest.TempPathFactory, layer: int, key: str, value: Any, everywhere: bool
) -> None:
    def change(config: dict[str, Any], options: dict[str, Any]) -> None:
        entry = config["layers"][layer]
        (entry if everywhere else entry["config"])[key if not everywhere else "inbound_nodes"] = value

    path = archive(tmp_path_factory.mktemp("config"), json.dumps(changed_config(change)))
    codes = ["KG107"]
    try:
        graph = load(path)
        assert set(graph.shapes) == set(graph.by_name)
    except KgennError as error:
        codes = [diagnostic.code for diagnostic in error.diagnostics]
    assert set(codes) <= {"KG105", "KG106", "KG107", "KG108", "KG109", "KG110"}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value in a config, that of the whole first."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in places(item, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return a config with another value in a place."""
    if not path:
        return new
    changed = copy.copy(value)
    changed[path[0]] = replaced(value[path[0]], path[1:], new)
    return changed


FIXTURES = sorted((ROOT / "tests/fixtures/keras2").glob("*-2.2.4.h5"))


@settings(max_examples=60, derandomize=True, deadline=None)
@example(path=FIXTURES[0], form="h5", data=None, new=[])
@example(path=FIXTURES[0], form="json", data=None, new={"class_name": "Sequential"})
@example(
    path=FIXTURES[0], form="json", data=None, new={"class_name": "Model", "config": [{"class_name": "Dense"}]}
)
@given(path=st.sampled_from(FIXTURES), form=st.sampled_from(["h5", "json"]), data=st.data(), new=JSON)
def test_any_value_anywhere_in_a_config_is_a_diagnostic_or_a_graph(
    tmp_path_factory: pytest.TempPathFactory, path: Path, form: str, data: Any, new: Any
) -> None:
    with h5py.File(path) as file:
        config = json.loads(file.attrs["model_config"])
    place = data.draw(st.sampled_from(places(config))) if data is not None else ()
    text = json.dumps(replaced(config, place, new))
    folder = tmp_path_factory.mktemp("config")
    (folder / "m.json").write_text(text)
    shutil.copy(path, folder / "m.h5")
    if form == "h5":
        with h5py.File(folder / "m.h5", "r+") as file:
            file.attrs["model_config"] = text
    with suppress(KgennError):
        assert load(folder / f"m.{form}").nodes


@given(st.integers(0, 10**6))
def test_mutations_of_what_a_file_holds_leave_files(number: int) -> None:
    for seed in seeds("npz,toml,cells"):
        changed = mutated(Random(number), seed)
        assert changed.files.keys() == seed.files.keys()
        assert changed.kind == seed.kind
