"""The page of costs shows what a report's CSV holds."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.zoo import costs, costs_plot

CELL: dict[str, Any] = {
    "status": "ok",
    "model": "net",
    "converter": "calibrated",
    "timesteps": 4,
    "accuracy": 0.875,
    "ann_accuracy": 0.87,
    "num_samples": 1000,
    "spikes_per_neuron": 0.25,
    "synaptic_operations": 3e6,
    "ann_macs": 2e6,
    "graded_spikes": "true",
    "snn_integer_joules": 1.25e-6,
    "snn_memory_joules": 250e-6,
    "twin_bits": 8,
    "twin_value": 0.869,
    "twin_integer_joules": 5e-7,
    "twin_memory_joules": 1e-5,
}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return a CSV as a report writes it."""
    path = tmp_path / "cells.csv"
    unlabelled = {"twin_bits": None, "twin_value": None, "twin_integer_joules": None, "twin_memory_joules": None}
    rows = [
        CELL,
        {**CELL, "converter": "fission", "timesteps": 16, "graded_spikes": "false", **unlabelled},
        {**CELL, "converter": "fission", "timesteps": 8, "graded_spikes": "false"},
        {**CELL, "timesteps": 2, "status": "failed"},
    ]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(CELL))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_each_finished_cell_is_a_row_by_method_and_steps(table: Path) -> None:
    ((model, cells),) = costs.networks(costs.cells_of(table))
    rows = list(costs.cost_rows(cells))
    assert model == "net"
    assert [row[:2] for row in rows] == [("`calibrated`*", "4"), ("`fission`", "8"), ("`fission`", "16")]
    assert rows[0][2:] == ("87.50", "−0.50", "0.250", "1.500", "1.25", "250", "8", "86.90", "0.5", "10")
    assert rows[2][8:] == ("",) * 4
    assert all(len(row) == len(costs.HEAD) for row in rows)


def test_new_cells_replace_old_ones_of_the_same_name(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    monkeypatch.setattr(costs, "RESULTS", tmp_path / "costs.json")
    costs.save_json({"net calibrated 4": {"accuracy": 0.1}, "net burst 4": {"accuracy": 0.2}}, costs.RESULTS)
    assert CliRunner().invoke(costs.main, [str(table)]).exit_code == 0
    found = costs.stored(costs.RESULTS)
    assert found.keys() == {"net calibrated 4", "net burst 4", "net fission 8", "net fission 16"}
    assert found["net calibrated 4"]["accuracy"] == 0.875
    assert found["net burst 4"] == {"accuracy": 0.2}


def test_the_plot_has_a_line_for_each_method_and_a_cross_for_each_twin(table: Path) -> None:
    cells = costs.cells_of(table)
    cells["net burst 4"] = {**cells["net fission 8"], "converter": "burst", "accuracy": 0.5}  # loses too much
    integers, memory = costs_plot.figure_of(cells).axes
    drawn = {line.get_label(): line.get_xydata() for line in memory.lines}
    assert len(drawn["burst"]) == 0
    assert drawn["calibrated"] == pytest.approx(np.array([[250, -0.5]]))
    assert drawn["fission"] == pytest.approx(np.array([[250, -0.5]] * 2))
    assert drawn["quantised twins"] == pytest.approx(np.array([[10, 0.1]] * 3))
    assert integers.lines[1].get_xydata() == pytest.approx(np.array([[1.25, -0.5]]))
