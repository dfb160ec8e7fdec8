"""Guess what an output is for, from how the model ends and what its labels look like."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgenn.diagnostics import KgennError
from kgenn.ir.given import given_array
from kgenn.ir.graph import Array
from kgenn.ir.output_activation import OVER_AXIS
from kgenn.ir.output_end import OutputEnd
from kgenn.tasks.base import SIGMOIDS
from kgenn.tasks.binary import Binary
from kgenn.tasks.classes import Classes, is_one_hot, is_whole
from kgenn.tasks.label_arrays import is_truth
from kgenn.tasks.multi_label import MultiLabel
from kgenn.tasks.reconstruction import Reconstruction
from kgenn.tasks.regression import Regression
from kgenn.tasks.segmentation import Segmentation


def guess(end: OutputEnd, labels: Any = None) -> tuple[str, str]:
    """Return the name of a task, and in words what gives it away.

    A softmax says classes and a sigmoid yes or no. What ends linearly is classes where the labels are class
    indices or one-hot rows, or where there are none and it is a vector of several values; else it is values.
    """
    y = _array(labels)
    ends = f"ends in {end.last}" if end.last else "ends without softmax or sigmoid"
    if end.last in OVER_AXIS and end.size > 1:
        if end.is_vector:
            return Classes.name, ends
        if end.activations[-1].axis == -1:
            return Segmentation.name, f"{ends} over the last axis of a map"
    if end.last in SIGMOIDS and (y is None or is_truth(y) or is_whole(y)):
        return _of_sigmoid(end, y), ends
    return _of_values(end, y, ends)


def _of_sigmoid(end: OutputEnd, y: Array | None) -> str:
    if end.size == 1:
        return Binary.name
    if end.is_vector:
        indices = y is not None and y.size == len(y)
        return Classes.name if indices else MultiLabel.name
    if y is None and end.like_input:
        return Reconstruction.name
    return Segmentation.name if end.shape[-1] == 1 else MultiLabel.name


def _of_values(end: OutputEnd, y: Array | None, ends: str) -> tuple[str, str]:
    """Return the task of an output that ends without softmax or sigmoid, or has values as labels."""
    if end.size == 1:
        return Regression.name, f"{ends}, one value"
    if end.is_vector and (y is None or (is_whole(y) and (y.size == len(y) or is_one_hot(y)))):
        return Classes.name, f"{ends}, {end.size} values" + ("" if y is None else " and labels that are classes")
    positions = end.shape[:-1]
    if y is not None and not end.is_vector and end.shape[-1] > 1 and is_whole(y) and y.shape[1:] == positions:
        return Segmentation.name, f"{ends}, and the labels are maps of classes"
    if end.like_input and not end.is_vector:
        return Reconstruction.name, f"{ends}, in the shape of an input"
    return Regression.name, f"{ends}, and the labels are values" if y is not None else ends


def _array(labels: Any) -> Array | None:
    """Return labels as an array; None where there are none, or where the task is to refuse them."""
    if labels is None:
        return None
    try:
        return np.asarray(given_array(labels, "labels", "KG607"))
    except KgennError:
        return None
