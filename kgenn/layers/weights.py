"""A layer's stored arrays, taken in order by its reader and checked one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kgenn.diagnostics import Diagnostic
from kgenn.ir.graph import Array, Shape


@dataclass(frozen=True, eq=False)
class StoredArray:
    """An array that is read when it is taken.

    Attributes:
        label: its name in the file.
        data: a NumPy array or an open HDF5 dataset; both have a shape and a dtype.
    """

    label: str
    data: Any


@dataclass(frozen=True)
class Slot:
    """What a reader asks for: an array's name, its shape, and whether training changes it by gradients."""

    name: str
    shape: Shape
    trainable: bool


class Weights:
    """The arrays of one layer, in the order in which Keras creates its variables.

    What is wrong with them is collected, so that every layer of a model is checked before the reading ends.
    """

    def __init__(self, where: str, arrays: Sequence[StoredArray]) -> None:
        self.where = where
        self.arrays = arrays
        self.taken: list[Array] = []
        self.problems: list[Diagnostic] = []

    def take(self, name: str, shape: Shape, trainable: bool = True) -> Array:
        """Return the next array as float32; zeros in its place, and a problem (KG106), where it is not right."""
        if len(self.taken) < len(self.arrays):
            array, problem = _checked(self.arrays[len(self.taken)], name, shape)
        else:
            array, problem = None, f"lacks the array {name!r} of shape {shape}; {len(self.arrays)} are stored"
        self._report(problem)
        self.taken.append(np.broadcast_to(np.float32(0), shape) if array is None else array)
        return self.taken[-1]

    def finish(self) -> tuple[Diagnostic, ...]:
        """Return the problems, among them arrays that were not taken."""
        labels = ", ".join(repr(stored.label) for stored in self.arrays[len(self.taken) :])
        self._report(f"stores arrays that it has no use for: {labels}" if labels else "")
        return tuple(self.problems)

    def _report(self, what: str) -> None:
        if what:
            remedy = "save the model again from the Keras that trained it"
            self.problems.append(Diagnostic("KG106", self.where, what, remedy))


class Plan(Weights):
    """Stand in for the arrays before they are read, and record what the reader takes."""

    def __init__(self, where: str) -> None:
        super().__init__(where, ())
        self.slots: list[Slot] = []

    def take(self, name: str, shape: Shape, trainable: bool = True) -> Array:
        self.slots.append(Slot(name, shape, trainable))
        return np.broadcast_to(np.float32(0), shape)


def _checked(stored: StoredArray, name: str, shape: Shape) -> tuple[Array | None, str]:
    """Return an array as float32, or None and what is wrong with it."""
    if tuple(stored.data.shape) != shape:
        return None, f"stores {stored.label!r} of shape {tuple(stored.data.shape)} where {name!r} must be {shape}"
    try:
        array = _float32(np.asarray(stored.data))
    except (OSError, RuntimeError, TypeError, ValueError) as error:  # from h5py, on a damaged file
        return None, f"stores {stored.label!r}, which cannot be read: {error}"
    if array is None:
        return None, f"stores {stored.label!r} of type {stored.data.dtype}; allowed: real numbers"
    count = np.sum(~np.isfinite(array))
    return array, f"stores {count} values in {stored.label!r} that are not finite" if count else ""


def _float32(array: Array) -> Array | None:
    """Convert an array; None where it is not of real numbers."""
    # bfloat16, the upper half of a float32: NumPy alone sees two opaque bytes
    if array.dtype.kind == "V" and array.dtype.itemsize == 2:
        return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    if array.dtype.kind not in "fiu":
        return None
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)
