"""Convolution in one or two dimensions, with strides, dilation and groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.ir.reach import Reach
from kgenn.ir.windows import Padding, Pads, convolved, pads_of, window_counts
from kgenn.ir.words import padding_words, times
from kgenn.layers.reaches import through_windows


@dataclass(frozen=True, eq=False)
class Conv(Layer):
    """Convolve: y[p, o] = Σ_k,c x[p·stride + k·dilation − pad, c] · kernel[k, c, o] + bias[o].

    Attributes:
        kernel: shape (*kernel size, C_in / groups, C_out); output channels of one group are adjacent.
        bias: shape (C_out,), or None.
    """

    linear: ClassVar[bool] = True

    kernel: Array
    bias: Array | None
    strides: Shape
    padding: Padding | Pads
    dilation: Shape
    groups: int = 1

    @property
    def size(self) -> Shape:
        """Return the spatial size of the kernel."""
        return self.kernel.shape[:-2]

    def pads(self, sizes: Shape) -> Pads:
        """Return the zeros added around an image of the given spatial sizes."""
        return pads_of(self.padding, sizes, self.size, self.strides, self.dilation)

    def features(self) -> Iterator[tuple[str, str]]:
        if self.bias is not None:
            yield "bias", f"has a bias vector of {self.bias.size} values"
        if self.padding == "causal":
            yield "zero-padding", "has causal padding; the strict profile knows 'valid' and 'same'"

    @property
    def role(self) -> str:
        return "depthwise"  # of the two that a separable convolution is

    @property
    def contents(self) -> str:
        words = f"{times(self.size)}, {self.kernel.shape[-1]} filters"
        if set(self.strides) != {1}:
            words += f", strides {times(self.strides)}"
        if set(self.dilation) != {1}:
            words += f", dilation {times(self.dilation)}"
        if self.groups != 1:
            words += f", {self.groups} groups"
        return f"{words}, {padding_words(self.padding)}" + ("" if self.bias is None else ", bias")

    def output_shape(self, *inputs: Shape) -> Shape:
        ((*sizes, channels),) = inputs
        if len(sizes) != len(self.size) or channels != self.kernel.shape[-2] * self.groups:
            raise ValueError(f"a kernel of shape {self.kernel.shape} does not fit an input of {inputs[0]}")
        spatial = tuple(sizes)
        counts = window_counts(spatial, self.size, self.strides, self.dilation, self.pads(spatial))
        return (*counts, self.kernel.shape[-1])

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        y = convolved(x, self.kernel, self.strides, self.dilation, self.pads(x.shape[1:-1]))
        if self.bias is not None:
            y += self.bias.astype(x.dtype)
        return y

    def reach(self, shape: Shape, positions: Array) -> Reach:
        size, per_group = self.size, self.kernel.shape[-2]
        kernel = self.kernel.reshape(*size, per_group, self.groups, -1)
        kernel = np.moveaxis(kernel, -2, -3)
        *counts, _ = self.output_shape(shape)
        pads = self.pads(shape[:-1])
        return through_windows(kernel, shape, tuple(counts), self.strides, self.dilation, pads, positions)

    def macs(self, *inputs: Shape) -> int:
        return prod(self.output_shape(*inputs)) * prod(self.kernel.shape[:-1])
