"""Classes: the largest value says which of several a sample is."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgenn.diagnostics import fail
from kgenn.ir.given import given_array
from kgenn.ir.graph import Array
from kgenn.ir.output_activation import softmax
from kgenn.ir.output_end import ClassLayout, OutputEnd
from kgenn.tasks.base import Task
from kgenn.tasks.label_arrays import is_truth
from kgenn.tasks.metric import Metric
from kgenn.tasks.shares import share

# Class indices lie below; not-a-number and infinity do not.
LABELS = 1 << 31


class Classes(Task):
    """The class is that of the largest value."""

    name = "classes"
    by_order = True
    agreed = "the model's class"
    takes = "class indices (N,), or one-hot rows"

    @classmethod
    def mismatch(cls, end: OutputEnd) -> str:
        return "" if end.size > 1 else "it is of several values, and the output has one"

    @classmethod
    def metrics_of(cls, end: OutputEnd) -> tuple[Metric, ...]:
        return (share("accuracy"),)

    @property
    def classes(self) -> ClassLayout:
        return ClassLayout(1, self.end.size)

    def predictions(self, values: Array) -> Array:
        found: Array = values.argmax(axis=-1)
        return found

    def labels(self, y: Any, count: int, where: str) -> Array:
        return check_labels(y, count, self.end.size, where)

    def confidence(self, linear: Array) -> Array | None:
        found: Array = softmax(linear).max(axis=-1)
        return found


def class_indices(y: Array, num_samples: int, where: str) -> Array:
    """Return labels as class indices, int64, from whole numbers or one-hot rows.

    Raises:
        KgennError: KG607 where they are something else, or not one for each sample.
    """
    given = y = np.asarray(given_array(y, where, "KG607"))
    whole = is_whole(y)
    if whole and y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]  # a column, as keras.datasets.cifar10 has it
    elif whole and is_one_hot(y):
        y = y.argmax(axis=1)
    if not whole or y.shape != (num_samples,):
        what = f"has labels of shape {given.shape} and type {given.dtype} for {num_samples} samples"
        if not whole:
            what += f", of which {_first_odd(given):g} is not a class index"
        raise fail("KG607", where, what, "give one class index for each sample, or one-hot rows")
    return np.asarray(y, np.int64)


def _first_odd(y: Array) -> float:
    """Return the first label that is not a class index."""
    return float(y[~_are_indices(y)][0])


def _are_indices(y: Array) -> Array:
    """Tell of each label whether it is a whole number that may be a class."""
    found: Array = (y == np.floor(y)) & (y > -LABELS) & (y < LABELS)
    return found


def is_whole(y: Array) -> bool:
    """Tell whether labels are whole numbers, of any type."""
    return y.dtype.kind in "biuf" and bool(_are_indices(y).all())


def is_one_hot(y: Array) -> bool:
    """Tell whether labels are rows with a single 1."""
    return bool(y.ndim == 2 and y.size and is_truth(y) and (y.sum(axis=1) == 1).all())


def check_labels(y: Any, num_samples: int, num_classes: int, where: str = "labels") -> Array:
    """Return labels as int64 after checking that they are classes of the network.

    Raises:
        KgennError: KG607 where they are not.
    """
    found = np.asarray(given_array(y, where, "KG607"))
    if found.dtype.kind == "b" and found.ndim == 1 and num_classes > 2:
        what = f"are True or False; the network has the classes 0 to {num_classes - 1}"
        raise fail("KG607", where, what, "give the class index of each sample")
    if is_one_hot(found) and found.shape[1] not in (1, num_classes):
        what = f"are one-hot rows of {found.shape[1]} classes; the network has {num_classes}"
        raise fail("KG607", where, what, "give the data set the model was trained on")
    found = class_indices(found, num_samples, where)
    if num_samples and not (found.min() >= 0 and found.max() < num_classes):
        what = f"run from {found.min()} to {found.max()}; the network has the classes 0 to {num_classes - 1}"
        raise fail("KG607", where, what, "give the data set the model was trained on")
    return found
