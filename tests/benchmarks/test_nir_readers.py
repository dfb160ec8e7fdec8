"""What NIR readers are compared with, against NIR's own definitions."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.nir_readers import RESETS, _row, expected, network_of
from covering import leading
from kgenn.export.nir import to_nir

sys.path.append(str(Path(__file__).parents[1] / "export"))
pytest.importorskip("nir", reason="the package nir is not installed")


@pytest.mark.slow
@pytest.mark.parametrize("reset", leading(RESETS))
def test_expected_currents_are_those_of_the_graph_by_its_definitions(reset: str, tmp_path: Path) -> None:
    from nir_reader import run

    network = network_of(reset, 8)
    expected(network, tmp_path / "data.npz", 3)
    with np.load(tmp_path / "data.npz") as data:
        x, currents = data["x"], data["currents"]
    assert currents.shape == (3, 8, 10)
    graph = to_nir(network)
    equal = [
        np.isclose(run(graph, np.repeat(sample[None], 8, axis=0))["output"], current, rtol=1e-3, atol=1e-3)
        for sample, current in zip(x, currents, strict=True)
    ]
    # a sum that reaches the threshold exactly may be rounded below it
    assert np.mean(equal) > 0.9
    assert np.all(np.asarray(equal)[:, :4])
    assert np.abs(currents).max() > 0.01


def test_a_reader_that_fails_says_why_and_one_that_reads_how_well() -> None:
    assert _row("sinabs", "zero", {"outcome": "ValueError: no"}) == "| sinabs | zero | ValueError: no | | | |"
    found = {"version": "3", "equal": 0.5, "first": 4, "accuracy": 0.99}
    assert _row("sinabs", "zero", found) == "| sinabs 3 | zero | reads | 50.00 % | 4 | 99.0 % |"
