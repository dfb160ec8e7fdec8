"""Average and maximum pooling in one or two dimensions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from kgenn.ir.axis_map import axis_map
from kgenn.ir.graph import Array, Layer, Shape
from kgenn.ir.reach import Reach
from kgenn.ir.windows import Padding, Pads, pads_of, window_counts, windows
from kgenn.ir.words import padding_words, times
from kgenn.layers.reaches import through_windows
from kgenn.layers.resampled import Line


@dataclass(frozen=True, eq=False)
class Pool(Layer):
    """What both poolings share: a window of `size` at every `strides`-th position."""

    keeps_sign: ClassVar[bool] = True

    size: Shape
    strides: Shape
    padding: Padding | Pads

    @property
    def contents(self) -> str:
        return f"{times(self.size)}, strides {times(self.strides)}, {padding_words(self.padding)}"

    @property
    def ones(self) -> Shape:
        """Return the dilation of a pooling window, which has none."""
        return (1,) * len(self.size)

    def pads(self, sizes: Shape) -> Pads:
        """Return the pixels added around an image of the given spatial sizes."""
        return pads_of(self.padding, sizes, self.size, self.strides, self.ones)

    def output_shape(self, *inputs: Shape) -> Shape:
        ((*sizes, channels),) = inputs
        if len(sizes) != len(self.size):
            raise ValueError(f"a window of {self.size} does not fit an input of {inputs[0]}")
        spatial = tuple(sizes)
        return (*window_counts(spatial, self.size, self.strides, self.ones, self.pads(spatial)), channels)

    def view(self, x: Array, fill: float) -> Array:
        """Return the windows of x, shape (N, *counts, C, *size), without copying them."""
        return windows(x, self.size, self.strides, self.ones, self.pads(x.shape[1:-1]), fill)

    @property
    def window_axes(self) -> Shape:
        """Return the axes of a view to reduce over."""
        return tuple(range(-len(self.size), 0))


@dataclass(frozen=True, eq=False)
class AveragePool(Pool):
    """Average over the pixels of each window that exist; those of the padding do not count."""

    linear: ClassVar[bool] = True

    def counts(self, sizes: Shape) -> Array:
        """Return the number of real pixels in each window, shape (*counts, 1)."""
        ones = np.ones((1, *sizes, 1))
        counts: Array = self.view(ones, 0.0).sum(axis=self.window_axes)[0]
        return counts

    def reach(self, shape: Shape, positions: Array) -> Reach:
        *sizes, channels = shape
        *counts, _ = self.output_shape(shape)
        kernel = np.ones((*self.size, channels, 1, 1))
        pads = self.pads(tuple(sizes))
        found = through_windows(kernel, shape, tuple(counts), self.strides, self.ones, pads, positions)
        pixels = self.counts(tuple(sizes)).ravel()[found.targets // channels]
        return replace(found, factors=found.factors / pixels)

    def lines(self, sizes: Shape) -> tuple[Line, ...]:
        """Return the sums of windows along each axis of an image of the given spatial sizes, and their counts."""
        counts = self.output_shape((*sizes, 1))[:-1]
        lines = []
        for size, window, stride, count, (before, _) in zip(
            sizes, self.size, self.strides, counts, self.pads(sizes), strict=True
        ):
            position, offset = (index.ravel() for index in np.indices((count, window)))
            source = position * stride - before + offset
            real = (source >= 0) & (source < size)
            sums = axis_map((position[real], source[real], np.ones(real.sum(), np.int64)), count, size)
            lines.append(Line(sums, sums.amounts))
        return tuple(lines)

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        total: Array = self.view(x, 0.0).sum(axis=self.window_axes)
        total /= self.counts(x.shape[1:-1]).astype(x.dtype)
        return total


@dataclass(frozen=True, eq=False)
class MaxPool(Pool):
    """Take the maximum of each window."""

    population: ClassVar[bool] = True

    def features(self) -> Iterator[tuple[str, str]]:
        yield "max-pool", f"is a max pooling of {times(self.size)}"

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        result: Array = self.view(x, -np.inf).max(axis=self.window_axes)
        return result
