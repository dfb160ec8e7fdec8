"""A layer's stored arrays, taken in order by its reader and checked one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from kgenn.diagnostics import Diagnostic
from kgenn.ir.graph import Array, Shape

# Bytes that are converted at once (4 MiB).
BLOCK = 1 << 22


@dataclass(frozen=True, eq=False)
class StoredArray:
    """An array that is read when it is taken.

    Attributes:
        label: its name in the file.
        data: a NumPy array or an open HDF5 dataset; both have a shape and a dtype.
        problem: why its values are not to be had; empty in the usual case.
    """

    label: str
    data: Any
    problem: str = ""


@dataclass(frozen=True)
class WeightSpec:
    """What a reader asks for: an array's name, its shape, and whether training changes it by gradients."""

    name: str
    shape: Shape
    trainable: bool


class Weights:
    """The arrays of one layer, in the order in which Keras creates its variables.

    What is wrong with them is collected, so that every layer of a model is checked before the reading ends.

    Attributes:
        known: whether the values that `take` returns are those of the file.
    """

    known: ClassVar[bool] = True

    def __init__(self, where: str, arrays: Sequence[StoredArray]) -> None:
        self.where = where
        self.arrays = arrays
        self.taken: list[Array] = []
        self.problems: list[Diagnostic] = []

    @property
    def more(self) -> bool:
        """Tell whether there are arrays that were not taken."""
        return len(self.taken) < len(self.arrays)

    def take(self, name: str, shape: Shape, trainable: bool = True, least: float | None = None) -> Array:
        """Return the next array as float32; zeros in its place, and a problem (KG106), where it is not right.

        Args:
            least: what no value may lie below.
        """
        if len(self.taken) < len(self.arrays):
            array, problem = _checked(self.arrays[len(self.taken)], name, shape, least)
        else:
            array, problem = None, f"lacks the array {name!r} of shape {shape}; {len(self.arrays)} are stored"
        self.report(problem)
        self.taken.append(np.broadcast_to(np.float32(0), shape) if array is None else array)
        return self.taken[-1]

    def finish(self) -> tuple[Diagnostic, ...]:
        """Return the problems, among them arrays that were not taken."""
        labels = ", ".join(repr(stored.label) for stored in self.arrays[len(self.taken) :])
        self.report(f"stores arrays that it has no use for: {labels}" if labels else "")
        return tuple(self.problems)

    def report(self, what: str) -> None:
        """Keep a problem (KG106); none where it is empty."""
        if what:
            remedy = "save the model again from the Keras that trained it"
            self.problems.append(Diagnostic("KG106", self.where, what, remedy))


class WeightsRecorder(Weights):
    """Stand in for the arrays before they are read, and record what the reader takes."""

    known: ClassVar[bool] = False

    def __init__(self, where: str) -> None:
        super().__init__(where, ())
        self.slots: list[WeightSpec] = []

    @property
    def more(self) -> bool:
        return True

    def take(self, name: str, shape: Shape, trainable: bool = True, least: float | None = None) -> Array:
        self.slots.append(WeightSpec(name, shape, trainable))
        return np.broadcast_to(np.float32(0), shape)


def _checked(stored: StoredArray, name: str, shape: Shape, least: float | None) -> tuple[Array | None, str]:
    """Return an array as float32, or None and what is wrong with it."""
    if stored.problem:
        return None, f"stores {stored.label!r}, which {stored.problem}"
    found = stored.data.shape  # None where HDF5 holds no values at all
    if found is None or tuple(found) != shape:
        return None, f"stores {stored.label!r} of shape {found} where {name!r} must be {shape}"
    try:
        if not _is_real(stored.data.dtype):
            return None, f"stores {stored.label!r} of type {stored.data.dtype}; allowed: real numbers"
        array = stored.data if isinstance(stored.data, np.ndarray) else _in_blocks(stored.data)
        array = _float32(array)
    except (OSError, RuntimeError, TypeError, ValueError, OverflowError) as error:  # from h5py, on a damaged file
        return None, f"stores {stored.label!r}, which cannot be read: {error}"
    count = sum(int(np.sum(~np.isfinite(block))) for block in _blocks(array))
    if not count and least is not None and array.size and array.min() < least:
        return array, f"stores {array.min():g} in {stored.label!r}; {name!r} must be at least {least:g}"
    return array, f"stores {count} values in {stored.label!r} that are not finite" if count else ""


def _in_blocks(data: Any) -> Array:
    """Read a dataset as float32, a part at a time, so that no more than a part is there in another type."""
    if not data.shape or data.chunks is not None:  # a chunk is unpacked whole for each part of it
        return np.asarray(data)
    array = np.empty(data.shape, np.float32)
    for rows in _rows(array):
        array[rows] = _float32(np.asarray(data[rows]))
    return array


def _blocks(array: Array) -> Iterator[Array]:
    """Yield an array in parts of about `BLOCK` bytes."""
    yield from (array[rows] for rows in _rows(array)) if array.ndim else (array,)


def _rows(array: Array) -> Iterator[slice]:
    step = max(1, BLOCK * len(array) // max(1, array.nbytes))
    return (slice(start, start + step) for start in range(0, len(array), step))


def _is_real(dtype: Any) -> bool:
    """Tell whether a type is of real numbers, or bfloat16: NumPy alone sees two opaque bytes."""
    return dtype.kind in "fiu" or (dtype.kind == "V" and dtype.itemsize == 2 and dtype.fields is None)


def _float32(array: Array) -> Array:
    """Convert an array of real numbers."""
    if array.dtype.kind == "V":  # bfloat16 is the upper half of a float32
        return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)
