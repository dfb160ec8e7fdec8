"""A layer's stored arrays, taken in order by its reader and checked one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kgenn.diagnostics import KgennError, fail
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
    """The arrays of one layer, in the order in which Keras creates its variables."""

    def __init__(self, where: str, arrays: Sequence[StoredArray]) -> None:
        self.where = where
        self.arrays = arrays
        self.taken: list[Array] = []

    def take(self, name: str, shape: Shape, trainable: bool = True) -> Array:
        """Return the next array as float32; a missing, misshapen or non-finite one is an error (KG106)."""
        if len(self.taken) == len(self.arrays):
            raise self._error(f"lacks the array {name!r} of shape {shape}; {len(self.arrays)} are stored")
        stored = self.arrays[len(self.taken)]
        if tuple(stored.data.shape) != shape:
            raise self._error(
                f"stores {stored.label!r} of shape {tuple(stored.data.shape)} where {name!r} must be {shape}"
            )
        try:
            array = _float32(stored)
        except (OSError, RuntimeError, TypeError, ValueError) as error:  # from h5py, on a damaged file
            raise self._error(f"stores {stored.label!r}, which cannot be read: {error}") from None
        if array is None:
            raise self._error(f"stores {stored.label!r} of type {stored.data.dtype}; allowed: real numbers")
        if not np.isfinite(array).all():
            count = np.sum(~np.isfinite(array))
            raise self._error(f"stores {count} values in {stored.label!r} that are not finite")
        self.taken.append(array)
        return array

    def finish(self) -> None:
        """Check that every array was taken."""
        if len(self.taken) < len(self.arrays):
            labels = ", ".join(repr(stored.label) for stored in self.arrays[len(self.taken) :])
            raise self._error(f"stores arrays that it has no use for: {labels}")

    def _error(self, what: str) -> KgennError:
        return fail("KG106", self.where, what, "save the model again from the Keras that trained it")


class Plan(Weights):
    """Stand in for the arrays before they are read, and record what the reader takes."""

    def __init__(self, where: str) -> None:
        super().__init__(where, ())
        self.slots: list[Slot] = []

    def take(self, name: str, shape: Shape, trainable: bool = True) -> Array:
        self.slots.append(Slot(name, shape, trainable))
        return np.broadcast_to(np.float32(0), shape)


def _float32(stored: StoredArray) -> Array | None:
    """Read an array and convert it; None where it is not of real numbers."""
    array = np.asarray(stored.data)
    # bfloat16, the upper half of a float32: NumPy alone sees two opaque bytes
    if array.dtype.kind == "V" and array.dtype.itemsize == 2:
        return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    if array.dtype.kind not in "fiu":
        return None
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)
