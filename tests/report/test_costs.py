"""Energy and twins in the report of a sweep: what is drawn, what the CSV has, and what is left out."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from covering import leading
from kgenn.bench.json_object import JsonPath
from kgenn.bench.rows import ResultRecord
from kgenn.report.sweep.cells import graded, joules, twin_value
from kgenn.report.sweep.page import report_files
from kgenn.report.sweep.results import read_results
from made_results import cell, experiment, outcome, write


def costs(memory: float, twin: float, bits: int, value: float, high: int = 1) -> dict[str, Any]:
    """Return what a cell says of its costs: energies in joules, and its twin."""
    energy = {
        "snn_joules": 1e-6,
        "ann_joules": 2e-6,
        "source": "a book",
        "snn": {"float32": 1e-6, "integer": 5e-7, "memory": memory},
        "twin": {"float32": 2e-7, "integer": 1e-7, "memory": twin},
    }
    quantised = {"bits": bits, "num_samples": 50, "macs": 1000.0, "values": {"classes": value}}
    return {"energy": energy, "twin": quantised, "spike_values": {"low": -high, "high": high}}


def files_of(place: Path, high: int = 1) -> dict[str, bytes]:
    cells = [
        cell(
            t,
            {"model": "a", "converter": "x", "timesteps": t},
            outcome(0.8, **costs(1e-4 * t, 1e-5, t, 0.9, high)),
        )
        for t in (2, 4)
    ]
    write(place, cells, [experiment(cells)])
    return report_files(read_results(place))


@pytest.mark.slow
def test_energy_is_drawn_with_the_twins_as_crosses(tmp_path: Path) -> None:
    files = files_of(tmp_path)
    (plot,) = [name for name in files if "against-energy" in name]
    page = files["index.html"].decode()
    assert "Accuracy against energy" in page
    assert "energy with memory, µJ an image" in page
    assert files[plot].startswith(b"\x89PNG")
    rows = list(csv.DictReader(io.StringIO(files["cells.csv"].decode())))
    assert [row["snn_memory_joules"] for row in rows] == ["0.0002", "0.0004"]
    assert [(row["twin_bits"], row["twin_value"], row["twin_samples"]) for row in rows] == [
        ("2", "0.9", "50"),
        ("4", "0.9", "50"),
    ]


@pytest.mark.parametrize("of_value", [None, 0.5, 1.5])
def test_spikes_are_drawn_for_each_neuron_of_the_ann(tmp_path: Path, of_value: float | None) -> None:
    given = {} if of_value is None else {"spikes_per_value": of_value}
    cells = [
        cell(t, {"model": "a", "converter": "x", "timesteps": t}, outcome(0.8, spikes_per_neuron=0.5, **given))
        for t in (2, 4)
    ]
    write(tmp_path, cells, [experiment(cells)])
    page = report_files(read_results(tmp_path))["index.html"].decode()
    assert ("spikes per neuron of the ANN" in page) == (of_value == 1.5)


@pytest.mark.parametrize(("high", "drawn"), leading([(1, True), (8, False)]))
def test_the_break_even_is_drawn_for_unit_spikes_only(tmp_path: Path, high: int, drawn: bool) -> None:
    page = files_of(tmp_path, high)["index.html"].decode()
    assert ("break-even 1.72" in page) == drawn
    assert ("Some spikes are graded" in page) != drawn


@pytest.mark.slow
def test_cells_of_earlier_versions_have_no_plot_of_energy(tmp_path: Path) -> None:
    cells = [cell(1, {"model": "a", "converter": "x"}, outcome())]
    write(tmp_path, cells, [experiment(cells)])
    files = report_files(read_results(tmp_path))
    assert not [name for name in files if "against-energy" in name]
    (row,) = csv.DictReader(io.StringIO(files["cells.csv"].decode()))
    assert (row["twin_bits"], row["snn_memory_joules"], row["graded_spikes"]) == ("", "", "false")


@pytest.mark.parametrize("odd", [None, "much", {}, {"memory": "much"}, {"memory": True}, [1]])
def test_costs_that_are_no_numbers_count_as_unknown(odd: object) -> None:
    found = ResultRecord.from_json(
        outcome(energy={"snn": odd, "twin": odd}, twin={"values": odd}, spike_values=odd), JsonPath("file")
    )
    assert joules(found, "snn", "memory") is None
    assert twin_value(found) is None
    assert not graded(found)
