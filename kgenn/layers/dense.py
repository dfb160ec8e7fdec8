"""A fully connected layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.ir.reach import Reach
from kgenn.layers.reaches import through_channels


@dataclass(frozen=True, eq=False)
class Dense(Layer):
    """Multiply the last axis: y = x · kernel + bias.

    Attributes:
        kernel: shape (C_in, C_out).
        bias: shape (C_out,), or None.
    """

    linear: ClassVar[bool] = True

    kernel: Array
    bias: Array | None

    def features(self) -> Iterator[tuple[str, str]]:
        if self.bias is not None:
            yield "bias", f"has a bias vector of {self.bias.size} values"

    @property
    def contents(self) -> str:
        return f"{self.kernel.shape[-1]} units" + ("" if self.bias is None else ", bias")

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        if not shape or shape[-1] != self.kernel.shape[0]:
            raise ValueError(f"a kernel of shape {self.kernel.shape} does not fit an input of {shape}")
        return (*shape[:-1], self.kernel.shape[1])

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        y: Array = x @ self.kernel.astype(x.dtype)
        return y if self.bias is None else y + self.bias.astype(x.dtype)

    def reach(self, shape: Shape, positions: Array) -> Reach:
        return through_channels(self.kernel[None], shape, positions)

    def macs(self, *inputs: Shape) -> int:
        (shape,) = inputs
        return prod(shape[:-1]) * self.kernel.size
