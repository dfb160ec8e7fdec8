"""Arrays that are read or computed a batch of rows at a time, so that a data set need not be in memory."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from math import prod
from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from kgenn.diagnostics import fail
from kgenn.ir.file_part import FilePart

Array = NDArray[Any]
Shape = tuple[int, ...]

# Bytes of an array that is kept in memory (256 MiB); rows of a larger one are read as they are needed.
MAX_IN_MEMORY = 1 << 28
# Rows that are read at once where all of them are needed.
BATCH = 256
# Bytes of rows that are kept because a file holds them together (64 MiB).
MAX_BLOCK = 1 << 26


class Rows(ABC):
    """An array of which whole rows are read when they are asked for.

    It has the attributes of a NumPy array that data are checked by, and `numpy.asarray` reads all of it.

    Attributes:
        shape: of the whole array, the rows first.
        dtype: of its values.
    """

    def __init__(self, shape: Shape, dtype: DTypeLike) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)

    @abstractmethod
    def read(self, start: int, stop: int) -> Array:
        """Return the rows from `start` to `stop`, 0 <= start <= stop <= len(self)."""

    @property
    def ndim(self) -> int:
        """Return the number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Return the number of values."""
        return prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Array:
        """Return rows as an array: those of a slice, of indices or of a mask, or one of an index."""
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            return self.read(start, max(start, stop)) if step == 1 else self._taken(range(start, stop, step))
        if np.ndim(rows) == 0:
            place = operator.index(rows)
            return np.asarray(self._taken([range(len(self))[place]])[0])
        chosen = np.asarray(rows)
        if chosen.dtype == np.bool_:
            return self._taken(np.flatnonzero(chosen))
        return self._taken([range(len(self))[int(place)] for place in chosen])

    def _taken(self, places: Any) -> Array:
        taken = np.empty((len(places), *self.shape[1:]), self.dtype)
        for row, place in enumerate(places):
            taken[row] = self.read(place, place + 1)[0]
        return taken

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        whole = self.read(0, len(self))
        return whole if dtype is None else whole.astype(dtype, copy=False)


def like_array(x: Array | Rows) -> Array:
    """Return the same object, for whoever takes batches of rows and no more."""
    return cast(Array, x)


class Computed(Rows):
    """Rows that a function makes of the rows of another array."""

    def __init__(
        self, source: Array | Rows, compute: Callable[[Array], Array], shape: Shape, dtype: DTypeLike
    ) -> None:
        super().__init__(shape, dtype)
        self._source, self._compute = source, compute

    def read(self, start: int, stop: int) -> Array:
        """Return rows, computed at each call."""
        return self._compute(np.asarray(self._source[start:stop]))


class InBlocks(Rows):
    """Rows of another array, read in blocks of so many rows, the last of which is kept.

    A file that holds many rows in one piece has to unpack all of them to give one.
    """

    def __init__(self, source: Rows, num_rows: int) -> None:
        super().__init__(source.shape, source.dtype)
        self._source = source
        row = max(1, prod(self.shape[1:]) * self.dtype.itemsize)
        self._num_rows = max(1, min(num_rows, MAX_BLOCK // row))
        self._kept: tuple[int, Array] | None = None

    def read(self, start: int, stop: int) -> Array:
        """Return a copy of rows."""
        blocks = range(start // self._num_rows, -(-stop // self._num_rows))
        parts = [self._block(number, start, stop) for number in blocks if start < stop]
        return np.concatenate(parts) if parts else np.empty((0, *self.shape[1:]), self.dtype)

    def _block(self, number: int, start: int, stop: int) -> Array:
        """Return those of the rows from `start` to `stop` that are in a block."""
        first = number * self._num_rows
        if self._kept is None or self._kept[0] != number:
            self._kept = None  # so that there are not two
            self._kept = number, self._source.read(first, min(first + self._num_rows, len(self)))
        return self._kept[1][max(start - first, 0) : stop - first]


class FileRows(Rows):
    """The rows of an array whose values lie one after the other in a file.

    Attributes:
        where: the file, for messages.
    """

    def __init__(self, values: FilePart, shape: Shape, dtype: DTypeLike, where: str) -> None:
        super().__init__(shape, dtype)
        self._values, self.where = values, where

    def read(self, start: int, stop: int) -> Array:
        """Return rows.

        Raises:
            KgennError: KG601 where the file has become shorter, or the disk fails.
        """
        size = prod(self.shape[1:]) * self.dtype.itemsize
        try:
            content = self._values[start * size : stop * size]
        except OSError as error:
            raise fail("KG601", self.where, f"cannot be read: {error.strerror or error}") from error
        if len(content) != (stop - start) * size:
            raise fail("KG601", self.where, "was cut off while it was read", "start again with the whole file")
        return np.frombuffer(content, self.dtype).reshape(stop - start, *self.shape[1:])


def batches(x: Array | Rows, size: int = BATCH) -> Iterator[Array]:
    """Yield the rows of an array, `size` at a time."""
    for start in range(0, len(x), size):
        yield np.asarray(x[start : start + size])
