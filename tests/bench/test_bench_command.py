"""`kgenn bench`: results, resuming, failures, and what the directory holds."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from covering import leading
from kgenn.bench.store import opened
from sweeps import CALIBRATION, HEAD, IMAGES, MODEL, TINY, cells, written

Kgenn = Callable[..., tuple[int, str, str]]


@pytest.fixture
def results(tiny: tuple[Path, Path], tmp_path: Path) -> Path:
    """Return a copy of a finished results directory."""
    return Path(shutil.copytree(tiny[1], tmp_path / "results"))


@pytest.mark.slow
def test_a_line_says_what_it_takes_to_run_the_cell_again(tiny: tuple[Path, Path]) -> None:
    line = cells(tiny[1])[0]
    assert line["axes"]["timesteps"] == 1
    assert (line["experiment"], line["status"], line["error"]) == ("tiny", "ok", None)
    assert line["rerun"]["options"]["converter"]["percentile"] == 99.9
    assert line["rerun"]["data"]["limit"] == 20
    assert line["host"].keys() == {"cpu", "cores", "python", "numpy", "compiler"}
    assert {"wall_seconds", "cpu_seconds", "convert_seconds", "build_seconds"} <= line["cost"].keys()
    assert str(MODEL.parent) not in json.dumps(line)


@pytest.mark.slow
def test_the_figures_are_those_of_a_run_with_layers_and_a_raster(tiny: tuple[Path, Path]) -> None:
    result = cells(tiny[1])[1]["result"]
    assert (result["num_samples"], result["num_timesteps"], len(result["curve"])) == (20, 2, 2)
    assert result["ann_accuracy"] == 1.0
    assert [layer["name"] for layer in result["layers"]] == ["conv1", "conv2", "dense1"]
    spikes = sum(layer["spikes_per_neuron"] * layer["neurons"] for layer in result["layers"])
    assert result["spikes_per_neuron"] * result["neurons"] == pytest.approx(spikes)
    raster = result["raster"]
    assert [raster["population"], *(r["population"] for r in raster["more"])] == ["conv1", "conv2", "dense1"]
    assert all(0 <= t < 2 and 0 <= i < raster["neurons"] for t, i in raster["spikes"])


@pytest.mark.slow
def test_the_commands_of_a_line_give_its_result(
    kgenn: Kgenn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = written(
        tmp_path, HEAD + 'converter = "few-spike"\nrounding = false\ntimesteps = 3\ntarget = "reference"\n'
    )
    assert kgenn("bench", config, "-o", tmp_path / "results")[0] == 0
    (line,) = cells(tmp_path / "results")
    for file in (MODEL, IMAGES, CALIBRATION):
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    compiling, running = (shlex.split(text)[1:] for text in line["rerun"]["command"])
    assert kgenn(*compiling)[0] == 0
    found: dict[str, Any] = json.loads(kgenn(*running)[1])
    differing = {"wall_seconds", "cpu_seconds", "ann"}
    assert {name: line["result"][name] for name in found if name not in differing} == {
        name: value for name, value in found.items() if name not in differing
    }


def test_a_finished_sweep_runs_nothing_again(kgenn: Kgenn, tiny: tuple[Path, Path], results: Path) -> None:
    before = {path.name: path.read_bytes() for path in results.iterdir()}
    code, out, err = kgenn("bench", tiny[0], "-o", results)
    assert (code, err) == (0, "2 of 2 cells are finished already\n")
    assert out.endswith("results: 2 cells\n")
    assert {path.name: path.read_bytes() for path in results.iterdir()} == before


@pytest.mark.parametrize("kept", leading([40, -1]))
def test_a_torn_last_line_is_cut_and_its_cell_runs_again(
    kgenn: Kgenn, tiny: tuple[Path, Path], results: Path, kept: int
) -> None:
    whole = (results / "results.jsonl").read_bytes()
    lines = (results / "cells.jsonl").read_bytes().splitlines(keepends=True)
    (results / "cells.jsonl").write_bytes(lines[0] + lines[1][:kept])
    (results / "results.jsonl").unlink()
    code, _, err = kgenn("bench", tiny[0], "-o", results, "--workers", 1)
    assert (code, err.splitlines()[0]) == (0, "1 of 2 cells are finished already")
    assert (results / "results.jsonl").read_bytes() == whole
    assert [line["axes"]["timesteps"] for line in cells(results)] == [1, 2]


@pytest.mark.slow
def test_a_sweep_that_grew_keeps_what_is_finished(kgenn: Kgenn, results: Path, tmp_path: Path) -> None:
    config = written(tmp_path, TINY.replace("[1, 2]", "[3, 2]").replace("a test", "another"))
    code, _, err = kgenn("bench", config, "-o", results, "--workers", 1)
    assert (code, err.splitlines()[0]) == (0, "1 of 2 cells are finished already")
    found = [json.loads(line) for line in (results / "results.jsonl").read_text().splitlines()]
    assert [(line["experiment"], line["axes"]["timesteps"]) for line in found] == [("small", 3), ("small", 2)]
    assert json.loads((results / "sweep.json").read_text())["experiments"][0]["title"] == "another"
    assert len(cells(results)) == 3


def test_a_cell_of_two_experiments_runs_once(kgenn: Kgenn, tiny: tuple[Path, Path], results: Path) -> None:
    other = written(results.parent, TINY.replace("[1, 2]", "[2, 1]"), "other.toml")
    code, _, err = kgenn("bench", tiny[0], other, "-o", results)
    assert (code, err) == (0, "2 of 2 cells are finished already\n")
    first, second = json.loads((results / "sweep.json").read_text())["experiments"]
    assert (first["name"], second["name"]) == ("tiny", "other")
    assert first["cells"] == second["cells"][::-1]


def test_a_cell_that_fails_is_recorded_and_the_others_go_on(kgenn: Kgenn, tmp_path: Path) -> None:
    config = written(tmp_path, TINY.replace('"data-norm"', '["threshold-relu", "data-norm"]'))
    results = tmp_path / "results"
    code, out, err = kgenn("bench", config, "-o", results, "--workers", 1)
    assert code == 1
    assert out.endswith("results: 4 cells, 2 failed\n")
    assert "error[KG210]" in err
    lines = {(line["axes"]["converter"], line["axes"]["timesteps"]): line for line in cells(results)}
    assert [line["status"] for line in lines.values()] == ["failed", "failed", "ok", "ok"]
    failed = lines["threshold-relu", 1]
    assert failed["result"] is None
    assert {entry["code"] for entry in failed["error"]} == {"KG210"}

    first = (results / "results.jsonl").read_bytes()
    assert kgenn("bench", config, "-o", results)[0] == 1
    assert len(cells(results)) == 4
    assert kgenn("bench", config, "-o", results, "--workers", 1, "--retry-failed")[0] == 1
    assert len(cells(results)) == 6
    assert (results / "results.jsonl").read_bytes() == first


def test_a_toolchain_that_fails_is_exit_code_3(
    kgenn: Kgenn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setenv("KGENN_CACHE", str(tmp_path / "cache"))
    config = written(tmp_path, HEAD + 'converter = "none"\n')
    code, _, err = kgenn("bench", config, "-o", tmp_path / "results", "--workers", 1)
    assert code == 3
    assert "error[KG501]" in err


def test_a_directory_in_use_is_refused(kgenn: Kgenn, tiny: tuple[Path, Path], results: Path) -> None:
    with opened(results):
        code, out, err = kgenn("bench", tiny[0], "-o", results)
    assert (code, out) == (1, "")
    assert err.startswith(f"error[KG622] {results}: is in use by another kgenn bench")
    assert kgenn("bench", tiny[0], "-o", results)[0] == 0


def test_a_directory_of_something_else_is_refused(kgenn: Kgenn, tiny: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    code, _, err = kgenn("bench", tiny[0], "-o", tmp_path)
    assert code == 1
    assert "KG622" in err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("name", ["sweep.json", "results.jsonl"])
def test_files_of_others_under_the_names_of_results_are_kept(
    kgenn: Kgenn, tiny: tuple[Path, Path], tmp_path: Path, name: str
) -> None:
    results = tmp_path / "results"
    results.mkdir()
    (results / name).write_text('{"sweep": "of somebody"}')
    code, _, err = kgenn("bench", tiny[0], "-o", results)
    assert code == 1
    assert err.startswith(f"error[KG622] {results}: ")
    assert (results / name).read_text() == '{"sweep": "of somebody"}'


@pytest.mark.parametrize("line", ["{}", "null", "{", '{"schema": 0, "key": "a", "status": "ok", "axes": {}}'])
def test_a_damaged_line_is_named(kgenn: Kgenn, tiny: tuple[Path, Path], results: Path, line: str) -> None:
    path = results / "cells.jsonl"
    path.write_text(f"{line}\n" + path.read_text())
    code, _, err = kgenn("bench", tiny[0], "-o", results)
    assert code == 1
    assert err.startswith(f"error[KG622] {path}:1: ")


def test_a_dry_run_lists_cells_and_writes_nothing(kgenn: Kgenn, tiny: tuple[Path, Path], results: Path) -> None:
    before = sorted(results.parent.rglob("*"))
    code, out, _ = kgenn("bench", tiny[0], "-o", results, "--dry-run")
    assert (code, out.count(" ok "), out.splitlines()[-1]) == (0, 2, "2 cells")
    assert all(line["key"] in out for line in cells(results))
    code, out, _ = kgenn("bench", tiny[0], "-o", results.parent / "none", "--dry-run")
    assert (code, out.count("to run")) == (0, 2)
    assert sorted(results.parent.rglob("*")) == before


def test_a_dry_run_needs_no_files(kgenn: Kgenn, tmp_path: Path) -> None:
    config = written(tmp_path, 'title = "a"\nmodels = "vgg99"\ndata = "none"\nconverter = "ttfs"\n')
    code, out, _ = kgenn("bench", config, "--dry-run")
    assert code == 0
    assert "1 cell" in out
    assert "vgg99 was not found" in out
    assert kgenn("bench", config, "-o", tmp_path / "results")[0] == 1
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("arguments", [(), ("-o", "x", "--workers", 2, "--dask", "tcp://127.0.0.1:1")])
def test_wrong_usage_is_exit_code_2(kgenn: Kgenn, tiny: tuple[Path, Path], arguments: tuple[object, ...]) -> None:
    assert kgenn("bench", tiny[0], *arguments)[0] == 2
