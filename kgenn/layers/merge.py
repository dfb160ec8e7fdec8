"""Layers that join branches: Add and Concatenate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from itertools import accumulate
from typing import ClassVar

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.layers.shape import Slot


@dataclass(frozen=True, eq=False)
class Add(Layer):
    """Add inputs of one shape."""

    linear: ClassVar[bool] = True
    keeps_sign: ClassVar[bool] = True

    def shares(self, *inputs: Shape) -> tuple[tuple[Layer, ...], ...]:
        return ((),) * len(inputs)

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(set(inputs)) != 1:
            raise ValueError(f"inputs of different shapes {inputs}; kgenn adds without broadcasting")
        return inputs[0]

    def forward(self, *inputs: Array) -> Array:
        return reduce(np.add, inputs)


@dataclass(frozen=True, eq=False)
class Concatenate(Layer):
    """Join along an axis, counted from the end (−1 is the channels)."""

    linear: ClassVar[bool] = True
    keeps_sign: ClassVar[bool] = True

    axis: int = -1

    def shares(self, *inputs: Shape) -> tuple[tuple[Layer, ...], ...]:
        lengths = [shape[self.axis] for shape in inputs]
        ends = list(accumulate(lengths))
        return tuple((Slot(end - n, ends[-1], self.axis),) for end, n in zip(ends, lengths, strict=True))

    def output_shape(self, *inputs: Shape) -> Shape:
        axis = self.axis + len(inputs[0])
        rests = {shape[:axis] + shape[axis + 1 :] for shape in inputs}
        if axis < 0 or len(rests) != 1:
            raise ValueError(f"shapes {inputs} do not join along axis {self.axis}")
        total = sum(shape[axis] for shape in inputs)
        return (*inputs[0][:axis], total, *inputs[0][axis + 1 :])

    def forward(self, *inputs: Array) -> Array:
        return np.concatenate(inputs, axis=self.axis)
