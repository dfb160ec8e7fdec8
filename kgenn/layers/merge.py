"""Layers that join branches: Add and Concatenate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape


@dataclass(frozen=True, eq=False)
class Add(Layer):
    """Add inputs of one shape."""

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(set(inputs)) != 1:
            raise ValueError(f"inputs of different shapes {inputs}; kgenn adds without broadcasting")
        return inputs[0]

    def forward(self, *inputs: Array) -> Array:
        return reduce(np.add, inputs)


@dataclass(frozen=True, eq=False)
class Concatenate(Layer):
    """Join along an axis, counted from the end (−1 is the channels)."""

    axis: int = -1

    def output_shape(self, *inputs: Shape) -> Shape:
        axis = self.axis + len(inputs[0])
        rests = {shape[:axis] + shape[axis + 1 :] for shape in inputs}
        if axis < 0 or len(rests) != 1:
            raise ValueError(f"shapes {inputs} do not join along axis {self.axis}")
        total = sum(shape[axis] for shape in inputs)
        return (*inputs[0][:axis], total, *inputs[0][axis + 1 :])

    def forward(self, *inputs: Array) -> Array:
        return np.concatenate(inputs, axis=self.axis)
