"""Metrics of predictions that are right or wrong: shares of what is right, F1 and intersection over union.

With TP, FP and FN the true positives, false positives and false negatives::

    F1 = 2 TP / (2 TP + FP + FN)        IoU = TP / (TP + FP + FN)

F1 of no positives at all is 0, as scikit-learn has it. The mean IoU is over the classes that occur in labels or
predictions, as `keras.metrics.MeanIoU` has it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kgenn.ir.graph import Array
from kgenn.tasks.metric import Metric


def share(name: str, size: int = 1) -> Metric:
    """Return the share of predictions that are the labels.

    Args:
        size: predictions of one sample.
    """
    return Metric(name, "percent", True, lambda p, y: _right(p, y).sum(axis=-1, keepdims=True), _over(size))


def all_right(name: str) -> Metric:
    """Return the share of samples whose predictions are all the labels."""
    return Metric(
        name, "percent", True, lambda p, y: _right(p, y).all(axis=-1, keepdims=True).astype(int), _over(1)
    )


def f1() -> Metric:
    """Return the F1 of predictions 0 and 1, over all of them."""
    return Metric("f1", "percent", True, _confusion, _f1, mean=False)


def mean_iou(num_classes: int) -> Metric:
    """Return the mean over the classes of the intersection of labels and predictions over their union."""

    def terms(predictions: Array, labels: Array) -> Array:
        predicted, right = _flat(predictions), _flat_labels(labels)
        kinds = np.arange(num_classes)
        predicted_so, is_so = predicted[..., None] == kinds, right[..., None] == kinds
        both = (predicted_so & is_so).sum(axis=2)
        return np.concatenate([both, predicted_so.sum(axis=2) + is_so.sum(axis=2) - both], axis=-1)

    def value(sums: Array, labels: Array) -> Array:
        both, either = sums[:, :num_classes], sums[:, num_classes:]
        shares = both / np.maximum(either, 1)
        found: Array = shares.sum(axis=1) / np.maximum((either > 0).sum(axis=1), 1)
        return found

    return Metric("mean-iou", "percent", True, terms, value, mean=False)


def _flat(predictions: Array) -> Array:
    return predictions.reshape(*predictions.shape[:2], -1)


def _flat_labels(labels: Array) -> Array:
    return labels.reshape(len(labels), 1, -1)


def _right(predictions: Array, labels: Array) -> Array:
    right: Array = _flat(predictions) == _flat_labels(labels)
    return right


def _over(size: int) -> Callable[[Array, Array], Array]:
    """Return the function that divides a sum by the number of predictions."""
    return lambda sums, labels: sums[:, 0] / (len(labels) * size)


def _confusion(predictions: Array, labels: Array) -> Array:
    predicted, right = _flat(predictions) == 1, _flat_labels(labels) == 1
    return np.stack(
        [(predicted & right).sum(-1), (predicted & ~right).sum(-1), (~predicted & right).sum(-1)], axis=-1
    )


def _f1(sums: Array, labels: Array) -> Array:
    true, others = sums[:, 0], sums[:, 1:].sum(axis=1)
    found: Array = 2 * true / np.maximum(2 * true + others, 1)
    return found
