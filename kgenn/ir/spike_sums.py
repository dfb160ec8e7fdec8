"""Sums of spikes that lie as another image, which a connection's weights then read.

Pooling with padding, repeated pixels, zeros between pixels, zeros around an image and a part of one are one thing:
a map along each axis, with whole factors. Sums of spikes stay integers, and any chain of such layers is one map.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import gcd, prod

import numpy as np

from kgenn.ir.axis_map import AxisMap, identity, sliding
from kgenn.ir.graph import Array, Shape
from kgenn.ir.windows import Pads, windows

# How often a sum may count spikes: what all sources send in a stage, 2**15 each at most, then fits into 32 bits.
MAX_AMOUNT = 1 << 14


class SpikeSums(ABC):
    """Sums of spikes that lie as an image, and that a connection's weights read in place of its source's spikes.

    Along each axis, a position of the image of sums is a sum of neighbouring positions of the source with whole
    factors, so that all sums are integers.
    """

    in_shape: Shape
    out_shape: Shape

    @abstractmethod
    def axis(self, axis: int) -> AxisMap:
        """Return the map of the rows (0) or of the columns (1)."""

    @abstractmethod
    def apply(self, x: Array) -> Array:
        """Sum spikes: shape (N, num sources) to (N, num sums), in the type of `x`."""

    def fan_out(self, after: Array) -> Array:
        """Return each source's synapses, given those of each sum."""
        image = after.reshape(self.out_shape)
        for axis in (0, 1):
            position, source, _ = self.axis(axis).entries()
            moved = np.moveaxis(image, axis, 0)
            total = np.zeros((self.in_shape[axis], *moved.shape[1:]), np.int64)
            np.add.at(total, source, moved[position])
            image = np.moveaxis(total, 0, axis)
        return image.ravel()

    @property
    def overlapping(self) -> bool:
        """Tell whether a source may count in two sums."""
        return prod(int(np.bincount(self.axis(axis).entries()[1]).max(initial=0)) for axis in (0, 1)) > 1

    @property
    def largest(self) -> int:
        """Return how often a sum counts sources, at most."""
        return prod(int(self.axis(axis).amounts.max(initial=0)) for axis in (0, 1))

    @property
    def amount(self) -> float:
        """Return how often a sum counts sources, in the mean over the sums."""
        return prod(float(self.axis(axis).amounts.mean()) for axis in (0, 1))

    @property
    def squares(self) -> float:
        """Return the sum of the squared factors of a sum's sources, in the mean over the sums."""
        return prod(float(np.square(self.axis(axis).taps).sum(axis=1).mean()) for axis in (0, 1))


@dataclass(frozen=True, eq=False)
class SumPool(SpikeSums):
    """Sum the spikes of each window before they cross a connection, whose weights hold the division.

    Σ over a window of w/area times spike is w/area times the window's spike count: an average-pooling layer
    folded into the connection after it, without a neuron in between.

    Attributes:
        in_shape, out_shape: (height, width, channels).
        size, strides: of the window, for each spatial axis.
    """

    in_shape: Shape
    out_shape: Shape
    size: Shape
    strides: Shape

    def axis(self, axis: int) -> AxisMap:
        return sliding(self.size[axis], self.strides[axis], self.out_shape[axis])

    @property
    def overlapping(self) -> bool:
        return self.size[0] > self.strides[0] or self.size[1] > self.strides[1]

    @property
    def largest(self) -> int:
        return prod(self.size)

    @property
    def amount(self) -> float:
        return float(self.largest)

    squares = amount

    def apply(self, x: Array) -> Array:
        pads: Pads = ((0, 0), (0, 0))
        view = windows(x.reshape(-1, *self.in_shape), self.size, self.strides, (1, 1), pads)
        result: Array = view[:, : self.out_shape[0], : self.out_shape[1]].sum(axis=(-2, -1), dtype=x.dtype)
        return result.reshape(len(x), -1)


@dataclass(frozen=True, eq=False)
class Resampling(SpikeSums):
    """Map the rows and the columns of an image of spikes: y[p, q] = Σ_ij rows[p, i] · columns[q, j] · x[i, j].

    Attributes:
        in_shape, out_shape: (height, width, channels); channels stay.
        rows, columns: the maps of the two axes.
    """

    in_shape: Shape
    out_shape: Shape
    rows: AxisMap
    columns: AxisMap

    def axis(self, axis: int) -> AxisMap:
        return (self.rows, self.columns)[axis]

    def apply(self, x: Array) -> Array:
        image = x.reshape(-1, *self.in_shape)
        return self.columns.apply(self.rows.apply(image, 1), 2).reshape(len(x), -1)

    def reduced(self) -> tuple[Resampling, int]:
        """Return the map without a factor that all its taps have, and that factor."""
        factors = [gcd(*map(int, np.unique(m.taps)), 0) or 1 for m in (self.rows, self.columns)]
        rows, columns = (
            AxisMap(m.start, (m.taps // f).astype(np.int32))
            for m, f in zip((self.rows, self.columns), factors, strict=True)
        )
        return Resampling(self.in_shape, self.out_shape, rows, columns), factors[0] * factors[1]

    def simplest(self) -> SpikeSums | None:
        """Return the same map as sums of windows where it is that, and None where it changes nothing."""
        same = self.in_shape == self.out_shape
        if same and all(_equal(self.axis(axis), identity(self.in_shape[axis])) for axis in (0, 1)):
            return None
        strides = tuple(_stride(self.axis(axis)) for axis in (0, 1))
        if 0 in strides:
            return self
        size = (self.rows.taps.shape[1], self.columns.taps.shape[1])
        return SumPool(self.in_shape, self.out_shape, size, strides)


def _equal(a: AxisMap, b: AxisMap) -> bool:
    return np.array_equal(a.start, b.start) and np.array_equal(a.taps, b.taps)


def _stride(line: AxisMap) -> int:
    """Return the stride of an axis whose positions are sums of windows, and 0 for any other."""
    steps = np.unique(np.diff(line.start))
    if (line.taps != 1).any() or line.start[0] != 0 or len(steps) > 1 or (steps < 1).any():
        return 0
    return int(steps[0]) if len(steps) else line.taps.shape[1]
