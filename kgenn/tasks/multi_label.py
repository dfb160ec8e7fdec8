"""Multi-label classification: each value says yes or no for itself."""

from __future__ import annotations

from typing import Any

from kgenn.ir.graph import Array
from kgenn.ir.output_end import ClassLayout, OutputEnd
from kgenn.tasks.base import Thresholded
from kgenn.tasks.label_arrays import label_array, shaped, truth
from kgenn.tasks.metric import Metric
from kgenn.tasks.shares import all_right, f1, share


class MultiLabel(Thresholded):
    """Several values, each above a threshold or not."""

    name = "multi-label"
    agreed = "the model's labels"
    takes = "0 or 1 for each value"

    @classmethod
    def metrics_of(cls, end: OutputEnd) -> tuple[Metric, ...]:
        return (share("label-accuracy", end.size), all_right("subset-accuracy"), f1())

    @property
    def classes(self) -> ClassLayout:
        return ClassLayout(self.end.size, 1)

    def predictions(self, values: Array) -> Array:
        return self.yes(values.reshape(*values.shape[:-1], *self.end.shape))

    def labels(self, y: Any, count: int, where: str) -> Array:
        return truth(shaped(label_array(y, count, where), self.end.shape, where, "a 0 or 1 for each value"), where)

    def confidence(self, linear: Array) -> Array | None:
        return self.sure(linear)
