"""Maps along one axis of an image: each position of the result is a sum of neighbours in the source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kgenn.ir.graph import Array


@dataclass(frozen=True, eq=False)
class AxisMap:
    """A map of one axis, with whole factors: y[p] = Σ_k taps[p, k] · x[start[p] + k].

    Windows have taps of 1 side by side, repeated pixels one tap each, zeros between pixels none. A row of taps
    never reaches beyond the source.

    Attributes:
        start: the first position that each position reads, shape (positions,), int32.
        taps: factors from 0 up, shape (positions, width), int32; the width is at least 1.
    """

    start: Array
    taps: Array

    @property
    def positions(self) -> int:
        """Return the length of the axis of the result."""
        return len(self.start)

    @property
    def amounts(self) -> Array:
        """Return how often each position counts a source of ones, shape (positions,), int64."""
        total: Array = self.taps.sum(axis=1, dtype=np.int64)
        return total

    def entries(self) -> tuple[Array, Array, Array]:
        """Return position, source and factor of each tap that is not 0, each of shape (entries,)."""
        position, offset = np.nonzero(self.taps)
        return position, self.start[position] + offset, self.taps[position, offset].astype(np.int64)

    def apply(self, x: Array, axis: int) -> Array:
        """Map one axis of an array, whose type the result has."""
        result = np.zeros((*x.shape[:axis], self.positions, *x.shape[axis + 1 :]), x.dtype)
        shape = (-1, *(1,) * (x.ndim - axis - 1))
        places = np.moveaxis(result, axis, 0)
        for k in range(self.taps.shape[1]):
            used = np.flatnonzero(self.taps[:, k])
            factors = self.taps[used, k].reshape(shape).astype(x.dtype)
            places[used] += np.moveaxis(x.take(self.start[used] + k, axis) * factors, axis, 0)
        return result

    def then(self, outer: AxisMap, size: int) -> AxisMap:
        """Return the map that applies this one and then another.

        Args:
            size: the length of this map's source.
        """
        return axis_map(self._composed(outer), outer.positions, size)

    def _composed(self, outer: AxisMap) -> tuple[Array, Array, Array]:
        """Return the entries of the product of two maps; several may be of one pair."""
        position, middle, factor = outer.entries()
        own, source, inner = self.entries()
        first, after = np.searchsorted(own, middle), np.searchsorted(own, middle, side="right")
        counts = after - first
        place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)
        return np.repeat(position, counts), source[place], np.repeat(factor, counts) * inner[place]


def axis_map(entries: tuple[Array, Array, Array], positions: int, size: int) -> AxisMap:
    """Return the map of an axis of `size` with the given (position, source, factor); those of one pair add up."""
    position, source, factor = entries
    low, high = np.full(positions, size), np.full(positions, -1)
    np.minimum.at(low, position, source)
    np.maximum.at(high, position, source)
    width = max(1, int((high - low).max(initial=0)) + 1)
    # no row of taps reaches beyond the source, those without a tap neither
    start = np.minimum(low, size - width)
    taps = np.zeros((positions, width), np.int64)
    np.add.at(taps, (position, source - start[position]), factor)
    return AxisMap(start.astype(np.int32), taps)


def taken(source: Array) -> AxisMap:
    """Return the map in which each position is one of the source, shape (positions,)."""
    return AxisMap(source.astype(np.int32), np.ones((len(source), 1), np.int32))


def identity(size: int) -> AxisMap:
    """Return the map that changes nothing."""
    return taken(np.arange(size))


def sliding(size: int, stride: int, positions: int) -> AxisMap:
    """Return the sums of windows of `size` at every `stride`-th position."""
    return AxisMap(np.arange(positions, dtype=np.int32) * stride, np.ones((positions, size), np.int32))
