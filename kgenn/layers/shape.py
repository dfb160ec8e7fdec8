"""Layers that move values without changing them: reshape, permute, zero padding."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape


@dataclass(frozen=True, eq=False)
class Reshape(Layer):
    """Give the values, in C order, another shape; Flatten is the case of one axis."""

    linear: ClassVar[bool] = True

    shape: Shape

    def output_shape(self, *inputs: Shape) -> Shape:
        if prod(inputs[0]) != prod(self.shape):
            raise ValueError(f"{inputs[0]} cannot become {self.shape}")
        return self.shape

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        return x.reshape(len(x), *self.shape)


@dataclass(frozen=True, eq=False)
class Permute(Layer):
    """Reorder the axes: axis i of the output is axis `axes[i]` of the input, counted without the batch axis."""

    linear: ClassVar[bool] = True

    axes: tuple[int, ...]

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        if sorted(self.axes) != list(range(len(shape))):
            raise ValueError(f"axes {self.axes} do not permute {shape}")
        return tuple(shape[axis] for axis in self.axes)

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        return x.transpose(0, *(axis + 1 for axis in self.axes))


@dataclass(frozen=True, eq=False)
class ZeroPad(Layer):
    """Put zeros around the spatial axes: `pads` has (before, after) for each."""

    linear: ClassVar[bool] = True

    pads: tuple[tuple[int, int], ...]

    def output_shape(self, *inputs: Shape) -> Shape:
        ((*sizes, channels),) = inputs
        if len(sizes) != len(self.pads):
            raise ValueError(f"padding {self.pads} does not fit {inputs[0]}")
        return (*(s + low + high for s, (low, high) in zip(sizes, self.pads, strict=True)), channels)

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        return np.pad(x, ((0, 0), *self.pads, (0, 0)))
