"""Layers that map each spatial axis by itself: repeated pixels, zeros between pixels, parts of an image.

Each is a map along every axis with whole factors, divided by a whole number for each position. Connections keep
these maps as they are; see `kgenn.ir.spike_sums`.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kgenn.ir.axis_map import AxisMap
from kgenn.ir.graph import Array, Layer, Shape
from kgenn.ir.reach import Reach
from kgenn.layers.reaches import through_axis


@dataclass(frozen=True, eq=False)
class Line:
    """What a layer does along one axis: y[p] = Σ_k taps[p, k] · x[start[p] + k] / divisors[p].

    Attributes:
        map: whole factors.
        divisors: shape (positions,), from 1 up.
    """

    map: AxisMap
    divisors: Array

    @classmethod
    def whole(cls, line: AxisMap) -> Line:
        """Return a map without divisors."""
        return cls(line, np.ones(line.positions, np.int64))

    def apply(self, x: Array, axis: int) -> Array:
        """Map one axis of an array."""
        mapped = self.map.apply(x, axis)
        if (self.divisors == 1).all():
            return mapped
        shape = [1] * x.ndim
        shape[axis] = -1
        result: Array = mapped / self.divisors.reshape(shape).astype(x.dtype)
        return result

    def entries(self) -> tuple[Array, Array, Array]:
        """Return source, position and factor of each tap, ordered by source."""
        position, source, factor = self.map.entries()
        order = np.argsort(source, kind="stable")
        return source[order], position[order], (factor / self.divisors[position])[order]


class Resampled(Layer):
    """A layer that maps each spatial axis by itself, whatever the channel."""

    linear: ClassVar[bool] = True
    keeps_sign: ClassVar[bool] = True

    @property
    @abstractmethod
    def rank(self) -> int:
        """Return the number of spatial axes."""

    @abstractmethod
    def length(self, axis: int, size: int) -> int:
        """Return what a spatial axis of the given size becomes; raise ValueError where nothing would be left."""

    @abstractmethod
    def line(self, axis: int, size: int) -> Line:
        """Return the map of a spatial axis of the given size."""

    def lines(self, sizes: Shape) -> tuple[Line, ...]:
        """Return the map of each spatial axis."""
        return tuple(self.line(axis, size) for axis, size in enumerate(sizes))

    def output_shape(self, *inputs: Shape) -> Shape:
        ((*sizes, channels),) = inputs
        if len(sizes) != self.rank:
            raise ValueError(f"takes {self.rank} spatial axes and channels, but is called on {inputs[0]}")
        return (*(self.length(axis, size) for axis, size in enumerate(sizes)), channels)

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        for axis, line in enumerate(self.lines(x.shape[1:-1])):
            x = line.apply(x, axis + 1)
        return x

    def reach(self, shape: Shape, positions: Array) -> Reach:
        rows, factors = np.arange(len(positions)), np.ones(len(positions))
        for axis, line in enumerate(self.lines(shape[:-1])):
            step = through_axis(line.entries(), line.map.positions, shape, axis, positions)
            rows, positions, factors = rows[step.rows], step.targets, factors[step.rows] * step.factors
            shape = (*shape[:axis], line.map.positions, *shape[axis + 1 :])
        return Reach(rows, positions, factors)
