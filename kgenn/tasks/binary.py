"""Binary classification: a single value says yes or no."""

from __future__ import annotations

from typing import Any

from kgenn.ir.graph import Array
from kgenn.ir.output_end import ClassLayout, OutputEnd
from kgenn.tasks.base import Thresholded
from kgenn.tasks.label_arrays import label_array, shaped, truth
from kgenn.tasks.metric import Metric
from kgenn.tasks.shares import f1, share


class Binary(Thresholded):
    """One value, above a threshold or not."""

    name = "binary"
    agreed = "the model's class"
    takes = "0 or 1, (N,)"

    @classmethod
    def mismatch(cls, end: OutputEnd) -> str:
        return "" if end.size == 1 else f"it is of one value, and the output has {end.size}"

    @classmethod
    def metrics_of(cls, end: OutputEnd) -> tuple[Metric, ...]:
        return (share("accuracy"), f1())

    @property
    def classes(self) -> ClassLayout:
        return ClassLayout(1, 1)

    def predictions(self, values: Array) -> Array:
        return self.yes(values[..., 0])

    def labels(self, y: Any, count: int, where: str) -> Array:
        return truth(shaped(label_array(y, count, where), (), where, "0 or 1"), where)

    def confidence(self, linear: Array) -> Array | None:
        return self.sure(linear)
