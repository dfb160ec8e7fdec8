"""The benchmark of large networks, on a small one."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from benchmarks.scale import HEAD, main

pytest.importorskip("keras")


@pytest.mark.slow
def test_each_method_is_a_row_with_all_figures() -> None:
    options = [
        "--side",
        "32",
        "--method",
        "few-spike:4",
        "--method",
        "ttfs:8",
        "--calibration",
        "4",
        "--images",
        "2",
    ]
    done = CliRunner().invoke(main, ["MobileNet", *options], catch_exceptions=False)
    rows = [line.strip("| ").split(" | ") for line in done.output.splitlines() if line.startswith("| MobileNet")]
    assert [row[1] for row in rows] == ["`few-spike` 4", "`ttfs` 8"]
    for row in rows:
        assert len(row) == len(HEAD)
        assert all(float(cell.replace(",", "")) > 0 for cell in row[2:])
