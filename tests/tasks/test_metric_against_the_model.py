"""Metrics of networks against their models': a share on a ratio scale, a difference elsewhere."""

from __future__ import annotations

from math import inf, nan

import pytest

from kgenn.bench.rows import OutputFigures
from kgenn.tasks.metric import compared, comparison_title, difference_to, share_of


@pytest.mark.parametrize(
    ("metric", "value", "model", "words"),
    [
        ("accuracy", 0.9, 0.96, "93.75 %"),
        ("accuracy", 0.0, 0.5, "0.00 %"),
        ("f1", 0.4, 0.0, "–"),
        ("mean-iou", 0.4, None, "–"),
        ("mse", 0.03, 0.02, "+0.01"),
        ("mae", 0.02, 0.03, "−0.01"),
        ("mse", 0.02, 0.02, "+0"),
        ("r2", -0.5, 0.25, "−0.75"),
        ("r2", 0.5, nan, "–"),
        ("psnr", 30.0, 30.5, "−0.50 dB"),
        ("psnr", 30.0, inf, "–"),
    ],
)
def test_a_value_against_the_models_compared(
    metric: str, value: float | None, model: float | None, words: str
) -> None:
    assert compared(metric, [(value, model)]) == words
    figures = OutputFigures("out", metric, value, model)
    assert figures.share == share_of(metric, value, model)
    assert figures.difference == difference_to(metric, value, model)
    assert (figures.share is None and figures.difference is None) == (words == "–")


def test_runs_are_averaged_and_those_without_a_model_left_out() -> None:
    assert compared("accuracy", [(0.9, 1.0), (0.7, 1.0), (0.5, None)], 1) == "80.0 %"
    assert compared("psnr", [(20.0, 21.0), (20.0, 24.0)]) == "−2.50 dB"


def test_a_column_says_which_it_holds() -> None:
    assert comparison_title(["accuracy", "f1"]) == "share"
    assert comparison_title(["mse"]) == "difference"
    assert comparison_title(["mse", "accuracy"]) == "share or difference"
