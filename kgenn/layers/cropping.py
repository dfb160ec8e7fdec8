"""Parts of images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kgenn.ir.axis_map import taken
from kgenn.layers.resampled import Line, Resampled


@dataclass(frozen=True, eq=False)
class Crop(Resampled):
    """Cut pixels off the spatial axes: `crops` has (before, after) for each."""

    crops: tuple[tuple[int, int], ...]

    @property
    def contents(self) -> str:
        return "cut " + ", ".join(f"{before}+{after}" for before, after in self.crops)

    @property
    def rank(self) -> int:
        return len(self.crops)

    def length(self, axis: int, size: int) -> int:
        before, after = self.crops[axis]
        if before + after >= size:
            raise ValueError(f"cutting off {before} and {after} pixels leaves nothing of {size}")
        return size - before - after

    def line(self, axis: int, size: int) -> Line:
        before, after = self.crops[axis]
        return Line.whole(taken(np.arange(before, size - after)))
