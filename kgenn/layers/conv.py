"""Convolution in one or two dimensions, with strides, dilation and groups."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.layers.windows import Padding, Pads, pads_of, window_counts, windows


@dataclass(frozen=True, eq=False)
class Conv(Layer):
    """Convolve: y[p, o] = Σ_k,c x[p·stride + k·dilation − pad, c] · kernel[k, c, o] + bias[o].

    Attributes:
        kernel: shape (*kernel size, C_in / groups, C_out); output channels of one group are adjacent.
        bias: shape (C_out,), or None.
    """

    kernel: Array
    bias: Array | None
    strides: Shape
    padding: Padding
    dilation: Shape
    groups: int = 1

    @property
    def size(self) -> Shape:
        """Return the spatial size of the kernel."""
        return self.kernel.shape[:-2]

    def pads(self, sizes: Shape) -> Pads:
        """Return the zeros added around an image of the given spatial sizes."""
        return pads_of(self.padding, sizes, self.size, self.strides, self.dilation)

    def output_shape(self, *inputs: Shape) -> Shape:
        ((*sizes, channels),) = inputs
        if len(sizes) != len(self.size) or channels != self.kernel.shape[-2] * self.groups:
            raise ValueError(f"a kernel of shape {self.kernel.shape} does not fit an input of {inputs[0]}")
        spatial = tuple(sizes)
        counts = window_counts(spatial, self.size, self.strides, self.dilation, self.pads(spatial))
        return (*counts, self.kernel.shape[-1])

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        view = windows(x, self.size, self.strides, self.dilation, self.pads(x.shape[1:-1]))
        counts = view.shape[: -1 - len(self.size)]
        per_group = self.kernel.shape[-2]
        # the kernel's axes in the window's order: (C_in, *size, C_out)
        kernel = np.moveaxis(self.kernel, -2, 0)
        outputs = []
        for group, part in enumerate(np.split(kernel, self.groups, axis=-1)):
            channels = slice(group * per_group, (group + 1) * per_group)
            patches = view[(..., channels, *[slice(None)] * len(self.size))]
            flat = patches.reshape(prod(counts), -1) @ part.reshape(-1, part.shape[-1]).astype(x.dtype)
            outputs.append(flat.reshape(*counts, -1))
        y = outputs[0] if self.groups == 1 else np.concatenate(outputs, axis=-1)
        return y if self.bias is None else y + self.bias.astype(x.dtype)

    def macs(self, *inputs: Shape) -> int:
        return prod(self.output_shape(*inputs)) * prod(self.kernel.shape[:-1])
