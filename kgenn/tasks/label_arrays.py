"""Labels as arrays: of the right length, shape and kind, or a diagnostic."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgenn.diagnostics import fail
from kgenn.ir.given import given_array
from kgenn.ir.graph import Array, Shape


def label_array(y: Any, count: int, where: str) -> Array:
    """Return labels as an array of real numbers with a row for each sample.

    Raises:
        KgennError: KG607.
    """
    found = np.asarray(given_array(y, where, "KG607"))
    if len(found) != count:
        what = f"has labels of shape {found.shape} for {count} samples"
        raise fail("KG607", where, what, "give as many labels as samples")
    return found


def shaped(y: Array, shape: Shape, where: str, meaning: str) -> Array:
    """Return labels with the shape of an output; axes of length 1 may be missing.

    Args:
        meaning: of a label, for messages.

    Raises:
        KgennError: KG607 for another shape.
    """
    if [n for n in y.shape[1:] if n != 1] != [n for n in shape if n != 1]:
        what = f"has labels of shape {y.shape} and type {y.dtype}; each is {meaning} of shape {shape}"
        raise fail("KG607", where, what, "give labels of that shape, or another --task")
    return y.reshape(len(y), *shape)


def truth(y: Array, where: str) -> Array:
    """Return labels that are 0 or 1 as int64.

    Raises:
        KgennError: KG607 for others.
    """
    if not is_truth(y):
        low, high = y.min(), y.max()
        what = f"has labels of type {y.dtype} from {low:g} to {high:g}; they are 0 or 1"
        raise fail("KG607", where, what, "give 0 or 1, or another --task")
    return y.astype(np.int64)


def is_truth(y: Array) -> bool:
    """Tell whether labels are all 0 or 1, of any type."""
    return bool(((y == 0) | (y == 1)).all())


def finite(y: Array, where: str) -> Array:
    """Return labels as float64.

    Raises:
        KgennError: KG607 for values that are not finite.
    """
    values = y.astype(np.float64)
    if not np.isfinite(values).all():
        raise fail("KG607", where, "has labels that are not finite", "leave those samples out")
    return values
