"""Regression: the values are what is asked for."""

from __future__ import annotations

from typing import Any

from kgenn.ir.graph import Array
from kgenn.ir.output_end import OutputEnd
from kgenn.tasks.base import Task
from kgenn.tasks.errors import mae, mse, r2
from kgenn.tasks.label_arrays import finite, label_array, shaped
from kgenn.tasks.metric import Metric


class ValueTask(Task):
    """A task whose predictions are the values themselves."""

    def predictions(self, values: Array) -> Array:
        return values.reshape(*values.shape[:-1], *self.end.shape)

    def labels(self, y: Any, count: int, where: str) -> Array:
        return finite(shaped(label_array(y, count, where), self.end.shape, where, "values"), where)

    def same(self, one: Array, other: Array) -> Array | None:
        return None


class Regression(ValueTask):
    """Each value is a quantity."""

    name = "regression"
    takes = "values of the output's shape"

    @classmethod
    def metrics_of(cls, end: OutputEnd) -> tuple[Metric, ...]:
        return (mse(), mae(), r2(end.shape[-1] if end.shape else 1))
