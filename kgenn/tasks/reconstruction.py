"""Reconstruction: the values are an image or a signal, as an autoencoder gives it."""

from __future__ import annotations

from typing import Any

from kgenn.diagnostics import fail
from kgenn.ir.graph import Array
from kgenn.ir.output_end import OutputEnd
from kgenn.tasks.errors import mae, mse, psnr
from kgenn.tasks.label_arrays import label_array
from kgenn.tasks.metric import Metric
from kgenn.tasks.regression import ValueTask


class Reconstruction(ValueTask):
    """The values together are an image or a signal."""

    name = "reconstruction"
    takes = "values of the output's shape, no integers"

    @classmethod
    def metrics_of(cls, end: OutputEnd) -> tuple[Metric, ...]:
        return (mse(), mae(), psnr())

    def labels(self, y: Any, count: int, where: str) -> Array:
        found = label_array(y, count, where)
        if found.dtype.kind in "iu":
            what = f"has integers of type {found.dtype} as labels; the output has real values"
            raise fail("KG607", where, what, "scale them as the model gives them, such as y / 255")
        return super().labels(found, count, where)
