"""Convolution without shared weights: each position has a kernel of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import ClassVar

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.ir.reach import Reach, joined
from kgenn.ir.windows import Pads, window_counts, windows
from kgenn.ir.words import times


@dataclass(frozen=True, eq=False)
class LocallyConnected(Layer):
    """Convolve with a kernel for each position.

        y[p, o] = Σ_k,c x[p·stride + k, c] · kernel[p, k, c, o] + bias[p, o]

    Attributes:
        kernel: shape (*counts, *size, C_in, C_out), with as many counts as sizes.
        bias: shape (*counts, C_out), or None.
    """

    linear: ClassVar[bool] = True

    kernel: Array
    bias: Array | None
    strides: Shape

    @property
    def rank(self) -> int:
        """Return the number of spatial axes."""
        return len(self.strides)

    @property
    def size(self) -> Shape:
        """Return the spatial size of a kernel."""
        return self.kernel.shape[self.rank : 2 * self.rank]

    @property
    def whole(self) -> tuple[Shape, Pads]:
        """Return the dilation and the zeros around the image, of which there are none."""
        return (1,) * self.rank, ((0, 0),) * self.rank

    def features(self) -> Iterator[tuple[str, str]]:
        if self.bias is not None:
            yield "bias", f"has a bias vector of {self.bias.size} values"

    @property
    def contents(self) -> str:
        return f"{times(self.size)}, {self.kernel.shape[-1]} filters at each position"

    def output_shape(self, *inputs: Shape) -> Shape:
        ((*sizes, channels),) = inputs
        if len(sizes) != self.rank or channels != self.kernel.shape[-2]:
            raise ValueError(f"kernels of shape {self.kernel.shape} do not fit an input of {inputs[0]}")
        counts = window_counts(tuple(sizes), self.size, self.strides, *self.whole)
        if counts != self.kernel.shape[: self.rank]:
            raise ValueError(f"an input of {inputs[0]} has {counts} positions for kernels of {self.kernel.shape}")
        return (*counts, self.kernel.shape[-1])

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        view = np.moveaxis(windows(x, self.size, self.strides, *self.whole), self.rank + 1, -1)
        flat = (*view.shape[: self.rank + 1], -1)
        kernel = self.kernel.reshape(*flat[1:], self.kernel.shape[-1]).astype(x.dtype)
        y: Array = np.einsum("n...k,...ko->n...o", view.reshape(flat), kernel)
        return y if self.bias is None else y + self.bias.astype(x.dtype)

    def reach(self, shape: Shape, positions: Array) -> Reach:
        *pixel, channel = np.unravel_index(positions, shape)
        counts, filters = self.kernel.shape[: self.rank], self.kernel.shape[-1]
        found = []
        for tap in product(*map(range, self.size)):
            places = [np.divmod(at - k, step) for at, k, step in zip(pixel, tap, self.strides, strict=True)]
            real = [(rest == 0) & (p >= 0) & (p < n) for (p, rest), n in zip(places, counts, strict=True)]
            rows = np.flatnonzero(np.logical_and.reduce(real))
            place = tuple(p[rows] for p, _ in places)
            factors = self.kernel[(*place, *tap, channel[rows])]
            first = np.ravel_multi_index(place, counts) * filters
            targets = (first[:, None] + np.arange(filters)).ravel()
            found.append(Reach(np.repeat(rows, filters), targets, factors.ravel().astype(np.float64)))
        return joined(found)

    def macs(self, *inputs: Shape) -> int:
        return prod(self.kernel.shape)
