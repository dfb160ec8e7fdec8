"""Rows: read and written without loss, and what is malformed is named."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from kgenn.bench.examples import OutputExample
from kgenn.bench.json_object import JsonPath
from kgenn.bench.rows import ExperimentRecord, Row
from kgenn.diagnostics import KgennError
from kgenn.report.sweep.results import read_results
from made_results import cell, experiment, grid, key, outcome, write

pytestmark = pytest.mark.quick

HERE = JsonPath("cells.jsonl:1")


@pytest.mark.parametrize(
    "line",
    [
        cell(1, {"model": "a", "timesteps": 8, "channelwise": True, "percentile": 99.9, "loss": None}, outcome()),
        cell(2, {"model": "a"}),
        cell(3, {}, outcome(accuracy=None, ann_accuracy=None, curve=None, raster=None, layers=[])),
        cell(4, {}, outcome(timesteps_found=3, something_else={"of": ["another", "version"]})),
    ],
    ids=["whole", "failed", "bare", "more"],
)
def test_a_row_is_read_without_loss(line: dict[str, Any]) -> None:
    row = Row.from_json(line, HERE)
    names = ("key", "experiment", "axes", "rerun", "host", "cost", "status")
    assert {name: getattr(row, name) for name in names} == {name: line[name] for name in names}
    assert [asdict(failure) for failure in row.error] == (line["error"] or [])
    assert (row.result is None) == (line["result"] is None)
    for name, value in (line["result"] or {}).items():
        found = {**vars(row.result), **row.result.others}[name] if row.result else None
        assert plain(found) == (plain(value) if name != "raster" else whole_raster(value))


def plain(value: Any) -> Any:
    """Return dataclasses and tuples as JSON has them."""
    return json.loads(json.dumps(value, default=asdict))


def whole_raster(value: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a raster with what it may leave out."""
    return None if value is None else {**value, "more": [{"more": [], **r} for r in value["more"]]}


def test_an_experiment_is_read_and_written_without_loss() -> None:
    published = [{"where": {"model": "a"}, "ann": 90, "accuracy": 80.5, "label": "table 1"}]
    plain = experiment([cell(1, {})], published=published, source="a paper", kind="pareto", axes=[{"seed": 0}])
    assert ExperimentRecord.from_json(plain, HERE).to_json() == plain


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        (("schema",), 2, "schema is 2, not 1"),
        (("key",), None, "key is null, not a string"),
        (("status",), "done", 'status is "done", not one of ok, failed'),
        (("result",), None, "result is null, not an object"),
        (("result", "accuracy"), "high", 'result.accuracy is "high", not a number'),
        (("result", "num_samples"), True, "result.num_samples is true, not a whole number"),
        (("result", "spikes_per_neuron"), -1, "result.spikes_per_neuron is -1, not a number from 0 up"),
        (("result", "curve"), [0.5, "x"], 'result.curve[1] is "x", not a number'),
        (("result", "layers"), {}, "result.layers is {}, not a list"),
        (("result", "layers"), [3], "result.layers[0] is 3, not an object"),
        (("result", "raster", "spikes"), [[1]], "result.raster.spikes[0] is [1], not a timestep and a neuron"),
        (("axes", "model"), ["a"], 'axes.model is ["a"], not a string'),
        (("cost", "wall_seconds"), "long", 'cost.wall_seconds is "long", not a number'),
    ],
)
def test_what_does_not_fit_is_named_with_its_line_and_field(path: tuple[str, ...], value: Any, found: str) -> None:
    line = cell(1, {"model": "a"}, outcome())
    inner = line
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(KgennError) as error:
        Row.from_json(line, HERE)
    (diagnostic,) = error.value.diagnostics
    assert (diagnostic.code, diagnostic.where) == ("KG631", "cells.jsonl:1")
    assert found in diagnostic.what


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"schema": NaN}', "\x00"])
def test_a_line_that_is_no_json_is_named(tmp_path: Path, text: str) -> None:
    write(tmp_path, grid(["a"], ["b"]), tail=f"{text}\n{{}}\n")
    with pytest.raises(KgennError, match=r"error\[KG631\] .*cells\.jsonl:2: is not JSON"):
        read_results(tmp_path)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    write(tmp_path, grid(["a"], ["b"]))
    with (tmp_path / "cells.jsonl").open("ab") as file:
        file.write(b"\xff\n")
    with pytest.raises(KgennError, match=r"cells\.jsonl:2: is not UTF-8"):
        read_results(tmp_path)


def test_a_torn_last_line_is_left_out_and_noted(tmp_path: Path) -> None:
    cells = grid(["a"], ["b", "c"])
    whole = read_results(write(tmp_path / "whole", cells))
    torn = read_results(write(tmp_path / "torn", cells[:1], [experiment(cells)], tail=json.dumps(cells[1])[:40]))
    assert list(torn.rows) == [key(0)]
    assert torn.notes == ("cells.jsonl ends in a line that was cut off; it was left out",)
    assert whole.notes == ()


def test_of_a_cell_that_ran_twice_the_last_row_counts(tmp_path: Path) -> None:
    failed, mended = cell(1, {"model": "a"}), cell(1, {"model": "a"}, outcome())
    results = read_results(write(tmp_path, [failed, mended], [experiment([failed])]))
    assert [row.status for row in results.rows.values()] == ["ok"]


def test_rows_of_another_sweep_are_noted(tmp_path: Path) -> None:
    cells = grid(["a"], ["b", "c"])
    results = read_results(write(tmp_path, cells, [experiment(cells[:1])]))
    assert results.notes == ("1 finished cells belong to no experiment of sweep.json",)
    assert len(results.finished(results.experiments[0])) == 1


def test_a_cell_of_two_experiments_has_the_axes_of_each(tmp_path: Path) -> None:
    cells = grid(["a"], ["b"])
    own = {**cells[0]["axes"], "scale-factor": 1.0}
    listed = [experiment(cells), experiment(cells, name="two", axes=[own])]
    results = read_results(write(tmp_path, cells, listed))
    assert [results.finished(e)[0].axes for e in results.experiments] == [cells[0]["axes"], own]


def test_axes_that_are_not_one_for_each_cell_are_refused(tmp_path: Path) -> None:
    cells = grid(["a"], ["b"])
    with pytest.raises(KgennError, match=r"experiments\[0\]\.axes is 2, not an entry for each of the 1 cells"):
        read_results(write(tmp_path, cells, [experiment(cells, axes=[{}, {}])]))


def test_results_without_costs_are_read_where_there_are_no_cells(tmp_path: Path) -> None:
    cells = grid(["a"], ["b"])
    write(tmp_path, [{k: v for k, v in c.items() if k not in ("host", "cost")} for c in cells], None)
    (tmp_path / "cells.jsonl").rename(tmp_path / "results.jsonl")
    (row,) = read_results(tmp_path).rows.values()
    assert (row.host, row.cost) == ({}, {})


@pytest.mark.parametrize("missing", ["sweep.json", "cells.jsonl"])
def test_a_directory_that_is_no_sweep_s_is_refused(tmp_path: Path, missing: str) -> None:
    (write(tmp_path, grid(["a"], ["b"])) / missing).unlink()
    with pytest.raises(KgennError, match="KG630"):
        read_results(tmp_path)


def test_a_sweep_of_another_schema_is_refused(tmp_path: Path) -> None:
    write(tmp_path, grid(["a"], ["b"]))
    (tmp_path / "sweep.json").write_text('{"schema": 7, "experiments": []}')
    with pytest.raises(KgennError, match=r"sweep\.json: schema is 7, not 1"):
        read_results(tmp_path)


SHOWN: dict[str, Any] = {
    "output": "map",
    "task": "segmentation",
    "form": "map",
    "classes": 2,
    "columns": {
        name: {"shape": [1, 2, 3], "values": [0, 1, 1, 0, 0, 1]} for name in ("label", "model", "spiking")
    },
}


def test_a_map_is_read_and_written_without_loss() -> None:
    found = OutputExample.from_json(SHOWN, JsonPath("a"))
    assert found.to_json() == SHOWN
    assert found.columns["model"].shape == (1, 2, 3)


@pytest.mark.parametrize(
    "changed",
    [
        {"columns": {}},
        {"columns": {"model": {"shape": [1, 2, 3], "values": [0]}}},
        {"columns": {"model": {"shape": [1 << 32, 1 << 32, 1], "values": []}}},
        {"columns": {"model": {"shape": [6], "values": [0] * 6}}},
        {"columns": {"model": {"shape": [1, 2, -3], "values": [0] * 6}}},
        {"columns": {**SHOWN["columns"], "label": {"shape": [2, 1, 1], "values": [0, 1]}}},
        {"form": "picture"},
        {"classes": -1},
        {"output": None},
    ],
)
def test_a_map_that_does_not_fit_is_kg631(changed: dict[str, Any]) -> None:
    with pytest.raises(KgennError, match="KG631"):
        OutputExample.from_json({**SHOWN, **changed}, JsonPath("a"))
