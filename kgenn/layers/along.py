"""Layers that work along one axis: they gather positions, or mix them by a matrix."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.ir.reach import Reach
from kgenn.layers.reaches import through_axis
from kgenn.layers.shape import Moving

# Positions of an axis that are gathered, and entries of a matrix that mixes them, at most: a file can ask for any.
MAX_POSITIONS, MAX_ENTRIES = 1 << 20, 1 << 24


def check_positions(*lengths: int) -> None:
    """Raise ValueError where an axis is too long to be listed."""
    if max(lengths) > MAX_POSITIONS:
        raise ValueError(f"an axis of {max(lengths):,} positions, more than {MAX_POSITIONS:,}")


def check_matrix(after: int, before: int) -> None:
    """Raise ValueError where a matrix from one axis to another is too large."""
    if after * before > MAX_ENTRIES:
        raise ValueError(f"a matrix of {after:,} by {before:,} entries, more than {MAX_ENTRIES:,}")


@dataclass(frozen=True, eq=False)
class Take(Moving):
    """Gather positions along an axis: slices, flips, repetitions, and neighbours in place of new pixels.

    Attributes:
        indices: the position that each place of the output takes, shape (length,), int64.
        axis: counted from the end.
    """

    auxiliary: ClassVar[bool] = True

    indices: Array
    axis: int

    @property
    def contents(self) -> str:
        return f"{self.indices.size} positions"

    def output_shape(self, *inputs: Shape) -> Shape:
        shape = list(inputs[0])
        if self.indices.size and not 0 <= self.indices.min() <= self.indices.max() < shape[self.axis]:
            raise ValueError(f"positions up to {self.indices.max()} are not in an axis of {shape[self.axis]}")
        if not self.indices.size:
            raise ValueError(f"nothing is left of an input of {inputs[0]}")
        shape[self.axis] = self.indices.size
        return tuple(shape)

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        return np.take(x, self.indices, axis=self.axis)


@dataclass(frozen=True, eq=False)
class Along(Layer):
    """Mix the positions of an axis: y[i] = Σ_j matrix[i, j] x[j].

    Attributes:
        matrix: shape (length of the output, length of the input).
        axis: counted from the end.
    """

    linear: ClassVar[bool] = True
    auxiliary: ClassVar[bool] = True

    matrix: Array
    axis: int

    @property
    def contents(self) -> str:
        return f"{self.matrix.shape[0]} of {self.matrix.shape[1]} positions"

    def output_shape(self, *inputs: Shape) -> Shape:
        shape = list(inputs[0])
        if shape[self.axis] != self.matrix.shape[1]:
            raise ValueError(f"a matrix of {self.matrix.shape} does not fit an input of {inputs[0]}")
        shape[self.axis] = self.matrix.shape[0]
        return tuple(shape)

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        y: Array = np.moveaxis(x, self.axis, -1) @ self.matrix.T.astype(x.dtype)
        return np.moveaxis(y, -1, self.axis)

    def reach(self, shape: Shape, positions: Array) -> Reach:
        sources, targets = np.nonzero(self.matrix.T)
        entries = sources, targets, self.matrix.T[sources, targets]
        return through_axis(entries, len(self.matrix), shape, len(shape) + self.axis, positions)

    def macs(self, *inputs: Shape) -> int:
        return prod(inputs[0]) * int(self.matrix.shape[0])
