"""Resampling: sums of spikes that lie as another image, which a connection's weights then read.

Pooling with padding, repeated pixels, zeros between pixels, zeros around an image and a part of one are one thing:
a map along each axis, with whole factors. Sums of spikes stay integers, and any chain of such layers is one map.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np

from kgenn.ir.axis_map import AxisMap, identity
from kgenn.ir.connectivity import SpikeSums, SumPool
from kgenn.ir.graph import Array, Shape

# How often a sum may count spikes: what all sources send in a stage, 2**15 each at most, then fits into 32 bits.
MOST_AMOUNT = 1 << 14


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
