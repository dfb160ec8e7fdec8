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
from kgenn.tasks.loss import LossTally
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


def in_points(metric: str, values: Array, labels: Array) -> Array:
    """Return figures in points, as the documentation defines them."""
    if metric == "mse":
        return 100 * (1 - values / labels.astype(float).var(axis=0).mean())
    if metric == "mae":
        return 100 * (1 - values / np.abs(labels - labels.mean(axis=0)).mean())
    return values if metric == "psnr" else 100 * values


def drawn_losses(name: str, shape: tuple[int, ...], metric: str) -> tuple[Metric, Array, Array, Array]:
    """Return a metric, labels, predictions of a model, and predictions of a network after each step."""
    found = goal(
        OutputEnd(shape), Choice(name, metric, 0.5 if TASKS[name].thresholded and shape[-1] < 3 else None)
    )
    values, y = drawn(name, shape)
    labels = found.task.labels(y, COUNT, "labels")
    return found.metric, labels, found.task.predictions(values[:, 0]), found.task.predictions(values[:, 1:])


def lost_of(
    metric: Metric, labels: Array, model: Array, network: Array, sizes: tuple[int, ...]
) -> tuple[Array, Array]:
    tally, start = LossTally(metric, labels, network.shape[1]), 0
    for size in sizes:
        part = slice(start, start + size)
        tally.add(model[part], network[part], start)
        start += size
    return tally.losses()


LOSSES = [
    ("classes", (4,), "accuracy"),
    ("binary", (1,), "f1"),
    ("multi-label", (2,), "label-accuracy"),
    ("multi-label", (2,), "subset-accuracy"),
    ("multi-label", (2,), "f1"),
    ("segmentation", (4, 3, 3), "pixel-accuracy"),
    ("segmentation", (4, 3, 3), "mean-iou"),
    ("regression", (3,), "mse"),
    ("regression", (3,), "mae"),
    ("regression", (3,), "r2"),
    ("reconstruction", (4, 4, 1), "psnr"),
]


@pytest.mark.parametrize(("name", "shape", "metric"), LOSSES)
def test_losses_are_those_of_the_metric_whatever_the_batches(
    name: str, shape: tuple[int, ...], metric: str
) -> None:
    own, labels, model, network = drawn_losses(name, shape, metric)
    lost, errors = lost_of(own, labels, model, network, (COUNT,))
    values = [measured(own, said, labels) for said in (model[:, None], network)]
    before, after = (in_points(metric, found, labels) for found in values)
    np.testing.assert_allclose(lost, before - after)
    parts = lost_of(own, labels, model, network, (5, 1, 6))
    np.testing.assert_allclose(parts, (lost, errors))
    assert (errors > 0).all()


@pytest.mark.parametrize(("name", "shape", "metric"), LOSSES)
def test_the_error_of_a_loss_is_that_of_the_jackknife(name: str, shape: tuple[int, ...], metric: str) -> None:
    own, labels, model, network = drawn_losses(name, shape, metric)
    _, errors = lost_of(own, labels, model, network, (COUNT,))
    left = []
    for i in range(COUNT):  # without sample i, the scale of the points that of all labels
        rest = np.delete(np.arange(COUNT), i)
        figures = []
        for said in (model[:, None], network):
            sums = own.terms(said, labels)[rest].sum(axis=0) * (COUNT / (COUNT - 1))
            figures.append(in_points(metric, own.value(sums, labels), labels))
        left.append(figures[0] - figures[1])
    spread = ((np.array(left) - np.mean(left, axis=0)) ** 2).sum(axis=0)
    # of a mean the error with N in place of N - 1, as std(d)/√N has it
    factor = ((COUNT - 1) / COUNT) ** (2 if own.mean else 1)
    np.testing.assert_allclose(errors, np.sqrt(factor * spread))


@pytest.mark.slow
def test_groups_of_many_samples_have_nearly_the_error_of_each_alone() -> None:
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, 4000)
    model, network = (np.where(rng.uniform(size=4000) < share, 1 - labels, labels) for share in (0.1, 0.3))
    (metric,) = (m for m in TASKS["binary"].metrics_of(OutputEnd((1,))) if m.name == "f1")
    (lost,), (error,) = lost_of(metric, labels, model, network[:, None], (4000,))
    drawn_again = []
    for _ in range(300):
        rows = rng.integers(0, 4000, 4000)
        drawn_again.append(lost_of(metric, labels[rows], model[rows], network[rows, None], (4000,))[0][0])
    assert error == pytest.approx(np.std(drawn_again), rel=0.25)
    assert lost == pytest.approx(np.mean(drawn_again), abs=error)


def test_labels_that_are_all_zero_are_not_all_right_of_a_single_value() -> None:
    """One output is not one class."""
    for end in (OutputEnd((1,)), OutputEnd((1,), SIGMOID)):
        found = goal(end, labels=np.zeros(4, int))
        values = np.array([[[0.9]], [[0.8]], [[0.2]], [[0.7]]])
        labels = found.task.labels(np.zeros(4, int), 4, "labels")
        value = measured(found.metric, found.task.predictions(values), labels, (4,))[0]
        assert found.task.name == ("binary" if end.activations else "regression")
        assert value == pytest.approx(0.25 if end.activations else 0.495)
