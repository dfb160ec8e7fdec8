"""Average pooling into a given number of positions, whose windows differ in size and overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kgenn.ir.axis_map import axis_map
from kgenn.ir.graph import Array, Shape
from kgenn.ir.words import times
from kgenn.layers.resampled import Line, Resampled


def windows_of(size: int, count: int) -> tuple[Array, Array]:
    """Return where the windows of an axis start and stop: from ⌊i·size / count⌋ to ⌈(i + 1)·size / count⌉."""
    index = np.arange(count)
    return index * size // count, -(-(index + 1) * size // count)


@dataclass(frozen=True, eq=False)
class AdaptivePool(Resampled):
    """Average the windows that cut each spatial axis into `counts` positions."""

    counts: Shape

    @property
    def contents(self) -> str:
        return f"averages of {times(self.counts)} windows"

    @property
    def rank(self) -> int:
        return len(self.counts)

    def length(self, axis: int, size: int) -> int:
        return self.counts[axis]

    def line(self, axis: int, size: int) -> Line:
        starts, stops = windows_of(size, self.counts[axis])
        lengths = stops - starts
        position = np.repeat(np.arange(len(starts)), lengths)
        offset = np.arange(len(position)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        sums = axis_map((position, starts[position] + offset, np.ones_like(position)), len(starts), size)
        return Line(sums, lengths)
