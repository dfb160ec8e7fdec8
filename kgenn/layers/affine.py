"""Per-channel affine layers: batch normalisation, rescaling and normalisation are x · scale + shift."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kgenn.ir.graph import Array, Shape
from kgenn.ir.reach import Reach
from kgenn.layers.activation import Elementwise


class Affine(Elementwise):
    """y = x · scale + shift, with scale and shift broadcast over the last axes."""

    linear: ClassVar[bool] = True

    @abstractmethod
    def scale_shift(self) -> tuple[Array, Array]:
        """Return scale and shift as float64 arrays that broadcast to the input's shape."""

    def features(self) -> Iterator[tuple[str, str]]:
        if self.scale_shift()[1].any():
            yield "bias", "adds an offset inside the network"

    def reach(self, shape: Shape, positions: Array) -> Reach:
        scale = np.broadcast_to(self.scale_shift()[0], shape).ravel()[positions]
        return Reach(np.arange(len(positions)), positions, scale)

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        scale, shift = self.scale_shift()
        y: Array = x * scale.astype(x.dtype) + shift.astype(x.dtype)
        return y


@dataclass(frozen=True, eq=False)
class BatchNorm(Affine):
    """Batch normalisation at inference, over the last axis; every array has shape (C,), or is None."""

    gamma: Array | None
    beta: Array | None
    mean: Array
    variance: Array
    epsilon: float

    def features(self) -> Iterator[tuple[str, str]]:
        yield "batch-norm", f"is a batch normalisation of {self.mean.size} channels"

    @property
    def contents(self) -> str:
        return "batch normalisation"

    def scale_shift(self) -> tuple[Array, Array]:
        scale = 1.0 / np.sqrt(self.variance.astype(np.float64) + self.epsilon)
        if self.gamma is not None:
            scale = scale * self.gamma
        shift = -self.mean * scale
        return scale, shift if self.beta is None else shift + self.beta


@dataclass(frozen=True, eq=False)
class Rescaling(Affine):
    """x · scale + offset; scalars, or one value for each channel."""

    scale: Array
    offset: Array

    def scale_shift(self) -> tuple[Array, Array]:
        return np.asarray(self.scale, np.float64), np.asarray(self.offset, np.float64)


def times(factor: float | Array) -> Rescaling:
    """Return the layer that multiplies by a factor, or by one for each channel."""
    return Rescaling(np.atleast_1d(factor), np.zeros(1, np.float32))


def plus(shift: float | Array) -> Rescaling:
    """Return the layer that adds a value, or one for each channel."""
    return Rescaling(np.ones(1, np.float32), np.atleast_1d(shift))


@dataclass(frozen=True, eq=False)
class Normalization(Affine):
    """(x − mean) / max(√variance, 1e-7), or its inverse; the statistics broadcast to the input's shape."""

    mean: Array
    variance: Array
    invert: bool = False

    def scale_shift(self) -> tuple[Array, Array]:
        # Keras guards the division by its fuzz factor, 1e-7
        deviation = np.maximum(np.sqrt(np.asarray(self.variance, np.float64)), 1e-7)
        mean = np.asarray(self.mean, np.float64)
        return (deviation, mean) if self.invert else (1.0 / deviation, -mean / deviation)
