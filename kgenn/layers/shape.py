"""Layers that move values without changing them: reshape, permute, zero padding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from kgenn.ir.axis_map import axis_map
from kgenn.ir.graph import Array, Layer, Shape
from kgenn.ir.reach import Reach, runs
from kgenn.ir.words import padding_words
from kgenn.layers.resampled import Line


class Moving(Layer):
    """A layer that moves values: each value of the output is one of the input's, or zero."""

    linear: ClassVar[bool] = True
    keeps_sign: ClassVar[bool] = True

    def sources(self, shape: Shape) -> Array:
        """Return for each output position, flat, the input position that its value is from; −1 where it is 0."""
        # positions are counted from 1 so that zeros are told from them
        marked = np.arange(1, prod(shape) + 1, dtype=np.float64).reshape(1, *shape)
        return self.forward(marked).ravel().astype(np.int64) - 1

    def reach(self, shape: Shape, positions: Array) -> Reach:
        sources = self.sources(shape)
        order = np.argsort(sources, kind="stable")
        ordered = sources[order]
        starts, stops = (np.searchsorted(ordered, positions, side) for side in ("left", "right"))
        rows, steps = runs(stops - starts)
        targets = order[starts[rows] + steps]
        return Reach(rows, targets, np.ones(len(rows)))


@dataclass(frozen=True, eq=False)
class Reshape(Moving):
    """Give the values, in C order, another shape; Flatten is the case of one axis."""

    auxiliary: ClassVar[bool] = True

    shape: Shape

    def output_shape(self, *inputs: Shape) -> Shape:
        if prod(inputs[0]) != prod(self.shape):
            raise ValueError(f"{inputs[0]} cannot become {self.shape}")
        return self.shape

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        return x.reshape(len(x), *self.shape)


@dataclass(frozen=True, eq=False)
class Permute(Moving):
    """Reorder the axes: axis i of the output is axis `axes[i]` of the input, counted without the batch axis."""

    auxiliary: ClassVar[bool] = True

    axes: tuple[int, ...]

    @property
    def contents(self) -> str:
        return "transposition"

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        if sorted(self.axes) != list(range(len(shape))):
            raise ValueError(f"axes {self.axes} do not permute {shape}")
        return tuple(shape[axis] for axis in self.axes)

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        return x.transpose(0, *(axis + 1 for axis in self.axes))


@dataclass(frozen=True, eq=False)
class ZeroPad(Moving):
    """Put zeros around the spatial axes: `pads` has (before, after) for each."""

    pads: tuple[tuple[int, int], ...]

    def features(self) -> Iterator[tuple[str, str]]:
        yield "zero-padding", f"pads with zeros by {self.pads}"

    @property
    def contents(self) -> str:
        return padding_words(self.pads)

    def output_shape(self, *inputs: Shape) -> Shape:
        ((*sizes, channels),) = inputs
        if len(sizes) != len(self.pads):
            raise ValueError(f"padding {self.pads} does not fit {inputs[0]}")
        return (*(s + low + high for s, (low, high) in zip(sizes, self.pads, strict=True)), channels)

    def lines(self, sizes: Shape) -> tuple[Line, ...]:
        """Return the zeros and pixels along each axis of an image of the given spatial sizes."""
        lines = []
        for size, (low, high) in zip(sizes, self.pads, strict=True):
            source = np.arange(size)
            lines.append(
                Line.whole(axis_map((source + low, source, np.ones(size, np.int64)), low + size + high, size))
            )
        return tuple(lines)

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        return np.pad(x, ((0, 0), *self.pads, (0, 0)))


@dataclass(frozen=True, eq=False)
class Broadcast(Moving):
    """Repeat the input along axes of length 1, and along new ones in front, up to `shape`."""

    shape: Shape

    def output_shape(self, *inputs: Shape) -> Shape:
        if np.broadcast_shapes(*inputs, self.shape) != self.shape:
            raise ValueError(f"{inputs[0]} does not broadcast to {self.shape}")
        return self.shape

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        ones = (1,) * (len(self.shape) + 1 - x.ndim)
        return np.broadcast_to(x.reshape(len(x), *ones, *x.shape[1:]), (len(x), *self.shape))


@dataclass(frozen=True, eq=False)
class AxisPad(Moving):
    """Place the input among zeros where a concatenation puts it.

    Attributes:
        offset: where the input starts on the axis.
        total: the length of the axis after the concatenation.
        axis: counted from the end.
    """

    offset: int
    total: int
    axis: int

    def output_shape(self, *inputs: Shape) -> Shape:
        shape = list(inputs[0])
        shape[self.axis] = self.total
        return tuple(shape)

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        result = np.zeros((len(x), *self.output_shape(x.shape[1:])), x.dtype)
        index = [slice(None)] * x.ndim
        index[self.axis] = slice(self.offset, self.offset + x.shape[self.axis])
        result[tuple(index)] = x
        return result
