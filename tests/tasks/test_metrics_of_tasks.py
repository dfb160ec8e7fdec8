"""Metrics of tasks: equal to Keras', whatever the batches, after every step."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest

from kgenn.ir.graph import Array
from kgenn.ir.output_activation import OutputActivation
from kgenn.ir.output_end import OutputEnd
from kgenn.tasks import TASKS
from kgenn.tasks.goal import Choice, goal
from kgenn.tasks.metric import Metric, MetricTally

SIGMOID = (OutputActivation("sigmoid"),)
SOFTMAX = (OutputActivation("softmax", {"axis": -1}),)
RNG = np.random.default_rng(3)
COUNT, STEPS = 12, 3


def measured(metric: Metric, predictions: Array, labels: Array, sizes: tuple[int, ...] = (COUNT,)) -> Array:
    """Return a metric after each step, added up in batches of some sizes."""
    tally, start = MetricTally(metric), 0
    for size in sizes:
        tally.add(predictions[start : start + size], labels[start : start + size])
        start += size
    found = tally.values(labels)
    assert found is not None
    return found


def of_keras(metric: keras.Metric, y: Array, p: Array) -> float:
    metric.update_state(y, p)
    return float(np.asarray(metric.result()).squeeze())


def drawn(name: str, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Return values (N, S, size) and labels of a task."""
    values = RNG.uniform(0, 1, (COUNT, STEPS, int(np.prod(shape))))
    if name in ("regression", "reconstruction"):
        return values, RNG.uniform(0, 1, (COUNT, *shape))
    if name == "classes":
        return values, RNG.integers(0, shape[-1], COUNT)
    if name == "segmentation":
        return values, RNG.integers(0, max(shape[-1], 2), (COUNT, *shape[:-1]))
    return values, RNG.integers(0, 2, COUNT if name == "binary" else (COUNT, *shape))


def flat(a: Array) -> Array:
    return np.asarray(a).reshape(-1)


Oracle = Callable[[Array, Array], float]
CASES: list[tuple[str, tuple[int, ...], str, Oracle]] = [
    ("classes", (4,), "accuracy", lambda y, v: of_keras(keras.metrics.SparseCategoricalAccuracy(), y, v)),
    ("binary", (1,), "accuracy", lambda y, v: of_keras(keras.metrics.BinaryAccuracy(), y[:, None], v)),
    ("binary", (1,), "f1", lambda y, v: of_keras(keras.metrics.F1Score(threshold=0.5), y[:, None], v)),
    ("multi-label", (5,), "label-accuracy", lambda y, v: of_keras(keras.metrics.BinaryAccuracy(), y, v)),
    ("multi-label", (5,), "subset-accuracy", lambda y, v: float(np.mean(np.all((v > 0.5) == y, axis=1)))),
    (
        "multi-label",
        (5,),
        "f1",
        lambda y, v: of_keras(keras.metrics.F1Score(average="micro", threshold=0.5), y, v),
    ),
    (
        "segmentation",
        (4, 3, 3),
        "pixel-accuracy",
        lambda y, v: of_keras(keras.metrics.SparseCategoricalAccuracy(), flat(y), v.reshape(-1, 3)),
    ),
    (
        "segmentation",
        (4, 3, 3),
        "mean-iou",
        lambda y, v: of_keras(keras.metrics.MeanIoU(3), flat(y), v.reshape(-1, 3).argmax(1)),
    ),
    (
        "segmentation",
        (6, 1),
        "mean-iou",
        lambda y, v: of_keras(keras.metrics.MeanIoU(2), flat(y), flat(v > 0.5).astype(int)),
    ),
    ("regression", (3,), "mse", lambda y, v: of_keras(keras.metrics.MeanSquaredError(), y, v)),
    ("regression", (3,), "mae", lambda y, v: of_keras(keras.metrics.MeanAbsoluteError(), y, v)),
    ("regression", (3,), "r2", lambda y, v: of_keras(keras.metrics.R2Score(), y.astype("f"), v.astype("f"))),
    (
        "regression",
        (8, 2),
        "r2",
        lambda y, v: of_keras(keras.metrics.R2Score(), y.reshape(-1, 2).astype("f"), v.reshape(-1, 2).astype("f")),
    ),
    (
        "reconstruction",
        (4, 4, 1),
        "psnr",
        lambda y, v: float(np.mean(10 * np.log10(1 / np.mean((v.reshape(y.shape) - y) ** 2, axis=(1, 2, 3))))),
    ),
]


@pytest.mark.parametrize(
    ("name", "shape", "metric", "oracle"), CASES, ids=[f"{case[0]}-{case[1]}-{case[2]}" for case in CASES]
)
def test_a_metric_is_that_of_keras_after_every_step_and_whatever_the_batches(
    name: str, shape: tuple[int, ...], metric: str, oracle: Oracle
) -> None:
    end = OutputEnd(shape, SIGMOID if TASKS[name].thresholded and shape[-1] in (1, 5) else ())
    found = goal(end, Choice(name, metric))
    values, y = drawn(name, shape)
    labels = found.task.labels(y, COUNT, "labels")
    predictions = found.task.predictions(values)
    curve = measured(found.metric, predictions, labels)
    expected = [oracle(y, values[:, t]) for t in range(STEPS)]
    np.testing.assert_allclose(curve, expected, rtol=1e-5)
    assert np.array_equal(curve, measured(found.metric, predictions, labels, (5, 1, 6)))


@pytest.mark.parametrize(("name", "shape"), [("classes", (4,)), ("segmentation", (4, 3, 3)), ("regression", (3,))])
def test_points_are_those_of_the_metric_of_the_task(name: str, shape: tuple[int, ...]) -> None:
    task = goal(OutputEnd(shape), Choice(name)).task
    values, y = drawn(name, shape)
    labels = task.labels(y, COUNT, "labels")
    predictions = task.predictions(values)
    points = task.points(predictions, labels, labels).mean(axis=0) / 100
    if name == "regression":
        off = ((predictions - labels[:, None]) ** 2).sum(axis=(0, 2))
        np.testing.assert_allclose(points, 1 - off / ((labels - labels.mean(axis=0)) ** 2).sum())
    else:
        np.testing.assert_allclose(points, measured(task.metrics[0], predictions, labels))


def test_labels_that_are_all_zero_are_not_all_right_of_a_single_value() -> None:
    """One output is not one class."""
    for end in (OutputEnd((1,)), OutputEnd((1,), SIGMOID)):
        found = goal(end, labels=np.zeros(4, int))
        values = np.array([[[0.9]], [[0.8]], [[0.2]], [[0.7]]])
        labels = found.task.labels(np.zeros(4, int), 4, "labels")
        worth = measured(found.metric, found.task.predictions(values), labels, (4,))[0]
        assert found.task.name == ("binary" if end.activations else "regression")
        assert worth == pytest.approx(0.25 if end.activations else 0.495)
