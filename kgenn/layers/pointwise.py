"""A linear map of the channels of each position, group by group."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.ir.reach import Reach
from kgenn.layers.reaches import through_channels


@dataclass(frozen=True, eq=False)
class Pointwise(Layer):
    """Mix the channels within each group: y[…, g·B + b] = Σ_a x[…, g·A + a] · kernel[g, a, b].

    With A = 1 each channel goes to B adjacent ones, with B = 1 each A adjacent channels are added up.

    Attributes:
        kernel: shape (groups, A, B).
    """

    linear: ClassVar[bool] = True

    kernel: Array

    def output_shape(self, *inputs: Shape) -> Shape:
        ((*sizes, channels),) = inputs
        groups, before, after = self.kernel.shape
        if channels != groups * before:
            raise ValueError(f"a kernel of shape {self.kernel.shape} does not fit an input of {inputs[0]}")
        return (*sizes, groups * after)

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        groups, before, _ = self.kernel.shape
        grouped = x.reshape(*x.shape[:-1], groups, before)
        y: Array = np.einsum("...ga,gab->...gb", grouped, self.kernel.astype(x.dtype))
        return y.reshape(len(x), *self.output_shape(x.shape[1:]))

    def reach(self, shape: Shape, positions: Array) -> Reach:
        return through_channels(self.kernel, shape, positions)

    def macs(self, *inputs: Shape) -> int:
        return prod(self.output_shape(*inputs)) * int(self.kernel.shape[1])
