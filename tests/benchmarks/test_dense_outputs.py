"""The benchmark of outputs that are no classes: its data are what their labels say, its networks convert."""

from __future__ import annotations

import numpy as np
import pytest

import kgenn
from benchmarks.dense_outputs import ALLOW, CASES, METHODS, images, waves
from kgenn.conversion import CONVERTERS
from kgenn.conversion.outputs import ends_of
from kgenn.tasks.goal import goal

pytest.importorskip("keras")


def test_shapes_are_lighter_than_what_lies_around_them() -> None:
    x, classes = images(20, 3)
    assert x.shape == (20, 32, 32, 1)
    assert set(np.unique(classes)) == {0, 1, 2}
    assert x[..., 0][classes > 0].mean() > x[..., 0][classes == 0].mean() + 0.2
    assert np.array_equal(images(20, 3)[0], x)


def test_waves_have_the_amplitude_and_the_frequency_of_their_labels() -> None:
    x, y = waves(200, 3)
    spread = x[..., 0].std(axis=1)
    assert np.corrcoef(spread, y[:, 1])[0, 1] > 0.95
    strongest = np.abs(np.fft.rfft(x[..., 0] - x[..., 0].mean(axis=1, keepdims=True)))[:, 1:].argmax(axis=1) + 1
    assert np.abs(strongest - 8 * y[:, 0]).max() < 1.1


@pytest.mark.parametrize(("case", "task"), list(zip(CASES, ("segmentation", "regression"), strict=True)))
def test_the_networks_convert_with_every_method_and_have_their_task(case: object, task: str) -> None:
    graph = kgenn.load(case.model())  # type: ignore[attr-defined]
    _, y = case.data(4, 0)  # type: ignore[attr-defined]
    (end,) = ends_of(graph).values()
    assert goal(end, labels=y).task.name == task
    assert {method for method, _ in METHODS} == set(CONVERTERS.table)
    for method, _ in METHODS:
        if method != "threshold-relu":  # which needs the twin with capped ReLUs
            assert kgenn.check(graph, CONVERTERS.get(method)(), ALLOW) == []
