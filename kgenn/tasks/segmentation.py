"""Segmentation: each position of a map has a class."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from kgenn.diagnostics import fail
from kgenn.ir.graph import Array, Shape
from kgenn.ir.output_activation import softmax
from kgenn.ir.output_end import ClassLayout, OutputEnd
from kgenn.tasks.base import Thresholded
from kgenn.tasks.classes import is_whole
from kgenn.tasks.label_arrays import label_array, shaped, truth
from kgenn.tasks.metric import Metric
from kgenn.tasks.shares import mean_iou, share


class Segmentation(Thresholded):
    """A class for each position: the largest value of the last axis, or of one value, above a threshold or not."""

    name = "segmentation"
    agreed = "the model's class"
    takes = "maps of classes, or one-hot maps"

    @classmethod
    def mismatch(cls, end: OutputEnd) -> str:
        return "" if len(end.shape) > 1 else f"it is of maps, and the output has the shape {end.shape}"

    @classmethod
    def needs_threshold(cls, end: OutputEnd) -> bool:
        return end.shape[-1] == 1 and super().needs_threshold(end)

    def check(self) -> None:
        if self.channels == 1:
            super().check()
        elif self.threshold is not None:
            what = f"the output has {self.channels} values for each position, and the largest is the class"
            raise fail("KG401", "threshold", what, "leave it out")

    @property
    def classes(self) -> ClassLayout:
        return ClassLayout(prod(self.positions), self.channels)

    @property
    def positions(self) -> Shape:
        """Return the axes before the last."""
        return self.end.shape[:-1]

    @property
    def channels(self) -> int:
        """Return the number of values for each position."""
        return self.end.shape[-1]

    @property
    def num_classes(self) -> int:
        """Return the number of classes of a position."""
        return max(self.channels, 2)

    @classmethod
    def metrics_of(cls, end: OutputEnd) -> tuple[Metric, ...]:
        return (share("pixel-accuracy", prod(end.shape[:-1])), mean_iou(max(end.shape[-1], 2)))

    def predictions(self, values: Array) -> Array:
        maps = values.reshape(*values.shape[:-1], *self.end.shape)
        found: Array = self.yes(maps[..., 0]) if self.channels == 1 else maps.argmax(axis=-1)
        return found

    def labels(self, y: Any, count: int, where: str) -> Array:
        found = label_array(y, count, where)
        one_hot = self.channels > 1 and found.shape[1:] == self.end.shape
        if one_hot and (truth(found, where).sum(axis=-1) == 1).all():
            return np.asarray(found.argmax(axis=-1))
        found = shaped(found, self.positions, where, "a map of classes")
        low, high = (found.min(), found.max()) if found.size else (0, 0)
        if not is_whole(found) or low < 0 or high >= self.num_classes:
            what = f"has labels of type {found.dtype} from {low:g} to {high:g}"
            advice = f"give the classes 0 to {self.num_classes - 1} (none is ignored), or pass another --task"
            raise fail("KG607", where, what, advice)
        return found.astype(np.int64)

    def confidence(self, linear: Array) -> Array | None:
        if self.channels == 1:
            return self.sure(linear)
        positions = softmax(linear.reshape(*linear.shape[:-1], -1, self.channels)).max(axis=-1)
        found: Array = positions.min(axis=-1)
        return found
