"""`kgenn report`: what it writes, and which published figures are met."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from commands import Kgenn
from kgenn.files.checksums import SUMS, read_sums
from made_results import cell, experiment, grid, outcome, write

AXES = {"model": "vgg", "converter": "few-spike", "seed": 0}


def sweep(directory: Path, cells: list[dict[str, Any]], *published: dict[str, Any], extra: int = 0) -> Path:
    """Write results with published figures; `extra` cells are not finished."""
    listed = experiment(cells, published=list(published))
    listed["cells"] += ["f" * 15 + str(n) for n in range(extra)]
    return write(directory, cells, [listed])


def test_a_report_is_written_beside_the_results_and_replaced(kgenn: Kgenn, tmp_path: Path) -> None:
    results = write(tmp_path / "r", grid(["a"], ["b"]))
    done = kgenn("report", results)
    assert (done.code, done.err, done.out) == (0, "", f"{results / 'report' / 'index.html'}\n")
    found = kgenn("report", results, "--json").json
    written = {path.relative_to(results / "report").as_posix() for path in (results / "report").rglob("*.*")}
    assert set(found["files"]) == written
    assert set(read_sums((results / "report" / SUMS).read_bytes())) == written
    assert {"index.html", "cells.csv"} < written
    assert (found["met"], found["missed"], found["figures"]) == (0, 0, [])


@pytest.mark.slow
def test_what_is_no_report_is_not_overwritten(kgenn: Kgenn, tmp_path: Path) -> None:
    results = write(tmp_path / "r", grid(["a"], ["b"]))
    assert kgenn("report", results, "-o", results).codes == ["KG606"]
    kgenn("report", results, "-o", tmp_path / "out")
    (tmp_path / "out" / "mine.txt").write_text("mine")
    done = kgenn("report", results, "-o", tmp_path / "out")
    assert (done.code, done.codes) == (1, ["KG606"])
    assert "holds what kgenn did not write, or what was changed since: mine.txt" in done.err
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"
    page = tmp_path / "site" / "index.html"
    page.parent.mkdir()
    page.write_text("mine")
    done = kgenn("report", results, "-o", page.parent, "--overwrite")
    assert "is not an output of kgenn report" in done.err
    assert page.read_text() == "mine"
    assert kgenn("report", results, "-o", tmp_path / "out", "--overwrite").code == 0
    assert not (tmp_path / "out" / "mine.txt").exists()


def test_without_matplotlib_the_command_that_installs_it_is_told(
    kgenn: Kgenn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = sweep(tmp_path, [cell(1, AXES, outcome())], {"where": {}, "accuracy": 10})
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = kgenn("report", results)
    assert (done.code, done.codes) == (3, ["KG508"])
    assert "pip install 'kgenn[report]'" in done.err
    assert kgenn("report", results, "--check").code == 0


@pytest.mark.parametrize(("tail", "code"), [("{}\n", "KG631"), ("nonsense\n", "KG631")])
def test_damaged_results_are_told(kgenn: Kgenn, tmp_path: Path, tail: str, code: str) -> None:
    done = kgenn("report", write(tmp_path, grid(["a"], ["b"]), tail=tail), "--check")
    assert (done.code, done.codes) == (1, [code])
    assert "cells.jsonl:2" in done.err


def test_a_directory_without_results_is_told(kgenn: Kgenn, tmp_path: Path) -> None:
    assert kgenn("report", tmp_path).codes == ["KG630"]


@pytest.mark.parametrize(
    ("published", "met"),
    [
        ({"ann": 96, "accuracy": 90}, True),  # the same share, to the last bit or nearly
        ({"ann": 96, "accuracy": 90.01}, False),
        ({"ann": 99, "accuracy": 92}, True),  # more in %, a smaller share
        ({"accuracy": 90}, True),
        ({"accuracy": 90.01}, False),
        ({"spikes_per_neuron": 1.25}, True),
        ({"spikes_per_neuron": 1.24}, False),
        ({"synaptic_operations": 12346}, True),
        ({"synaptic_operations": 12345}, False),
    ],
)
def test_a_figure_is_met_where_ours_is_at_least_as_good(
    kgenn: Kgenn, tmp_path: Path, published: dict[str, float], met: bool
) -> None:
    results = sweep(tmp_path, [cell(1, AXES, outcome(0.9))], {"where": {"model": "vgg"}, **published})
    done = kgenn("report", results, "--check")
    assert done.code == (0 if met else 1)
    assert f"{int(met)} of 1 published figures met" in done.out
    (figure,) = kgenn("report", results, "--check", "--json").json["figures"]
    assert figure["met"] is met
    assert not (tmp_path / "report").exists()


def test_seeds_count_by_their_mean_and_other_axes_apart(kgenn: Kgenn, tmp_path: Path) -> None:
    runs = [(0, "if", 0.80), (1, "if", 0.90), (0, "poisson", 0.84)]
    cells = [
        cell(i, {**AXES, "seed": seed, "encoder": encoder}, outcome(accuracy))
        for i, (seed, encoder, accuracy) in enumerate(runs)
    ]
    results = sweep(tmp_path, cells, {"where": {"model": "vgg"}, "accuracy": 84.5})
    figures = kgenn("report", results, "--check", "--json").json["figures"]
    assert [(f["axes"]["encoder"], round(f["ours"], 6), f["met"]) for f in figures] == [
        ("if", 0.85, True),
        ("poisson", 0.84, False),
    ]


@pytest.mark.parametrize(
    ("result", "extra", "where", "reason"),
    [
        (None, 0, {}, "failed"),
        (outcome(), 1, {"model": "resnet"}, "not finished"),
        (outcome(), 0, {"model": "resnet"}, "no such cell"),
        (outcome(), 0, {"residual": "identity"}, "no such cell"),
        (outcome(accuracy=None, curve=None), 0, {}, "no labels"),
        (outcome(ann_accuracy=None), 0, {}, "no ANN accuracy"),
    ],
)
def test_a_figure_without_ours_is_missed_and_says_why(
    kgenn: Kgenn, tmp_path: Path, result: dict[str, Any] | None, extra: int, where: dict[str, Any], reason: str
) -> None:
    published = {"where": where, "ann": 90, "accuracy": 80}
    results = sweep(tmp_path, [cell(1, AXES, result)], published, extra=extra)
    done = kgenn("report", results, "--check", "--json")
    assert done.code == 1
    assert [(f["met"], f["reason"]) for f in done.json["figures"]] == [(False, reason)]


def test_one_failed_seed_leaves_no_mean(kgenn: Kgenn, tmp_path: Path) -> None:
    cells = [cell(1, AXES, outcome()), cell(2, {**AXES, "seed": 1})]
    done = kgenn("report", sweep(tmp_path, cells, {"where": {}, "accuracy": 10}), "--check")
    assert done.code == 1
    assert "1 of 2 failed" in done.out


def test_nothing_published_is_nothing_missed(kgenn: Kgenn, tmp_path: Path) -> None:
    done = kgenn("report", write(tmp_path, grid(["a"], ["b"])), "--check")
    assert (done.code, done.out) == (0, "no published figures to compare with\n")
