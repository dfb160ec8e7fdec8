"""Upsampling by whole factors."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Literal

import numpy as np

from kgenn.ir.axis_map import axis_map, taken
from kgenn.ir.graph import Shape
from kgenn.ir.words import times
from kgenn.layers.resampled import Line, Resampled

Interpolation = Literal["nearest", "bilinear"]


@dataclass(frozen=True, eq=False)
class UpSample(Resampled):
    """Enlarge each spatial axis by a whole factor f.

    Pixels have centres: position p of the result lies at (p + 1/2) / f − 1/2 of the source. `nearest` repeats each
    pixel f times. `bilinear` weights the two neighbours by their nearness, in parts of 2f; beyond the outermost
    pixels the image goes on as they are.

    Attributes:
        factors: for each spatial axis.
    """

    factors: Shape
    interpolation: Interpolation = "nearest"

    @property
    def contents(self) -> str:
        return f"{self.interpolation} {times(self.factors)}"

    @property
    def rank(self) -> int:
        return len(self.factors)

    def length(self, axis: int, size: int) -> int:
        return size * self.factors[axis]

    def line(self, axis: int, size: int) -> Line:
        factor = self.factors[axis]
        if self.interpolation == "nearest":
            return Line.whole(taken(np.repeat(np.arange(size), factor)))
        positions = np.arange(size * factor)
        below, part = np.divmod(2 * positions + 1 - factor, 2 * factor)
        sources = np.clip(np.concatenate([below, below + 1]), 0, size - 1)
        entries = np.concatenate([positions, positions]), sources, np.concatenate([2 * factor - part, part])
        common = gcd(2 * factor, *map(int, part))
        whole = axis_map((*entries[:2], entries[2] // common), len(positions), size)
        return Line(whole, np.full(len(positions), 2 * factor // common))
