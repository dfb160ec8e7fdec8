"""Divide values by what they themselves measure: layer, group and unit normalisation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.layers.activation import Curve


@dataclass(frozen=True, eq=False)
class Mean(Layer):
    """Average along axes, which stay with a length of 1.

    Attributes:
        axes: counted without the batch axis.
        total: add up instead.
    """

    linear: ClassVar[bool] = True
    keeps_sign: ClassVar[bool] = True

    axes: Shape
    total: bool = False

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        if any(axis >= len(shape) for axis in self.axes):
            raise ValueError(f"axes {self.axes} are not those of {shape}")
        return tuple(1 if axis in self.axes else size for axis, size in enumerate(shape))

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        axes = tuple(axis + 1 for axis in self.axes)
        y: Array = (np.sum if self.total else np.mean)(x, axis=axes, keepdims=True)
        return y


@dataclass(frozen=True, eq=False)
class Variance(Layer):
    """Take the mean squared distance from the mean along axes, which stay with a length of 1.

    Attributes:
        axes: counted without the batch axis.
    """

    axes: Shape

    def features(self) -> Iterator[tuple[str, str]]:
        yield "activation", "takes the variance of activations"

    @property
    def contents(self) -> str:
        return "variance"

    def output_shape(self, *inputs: Shape) -> Shape:
        return Mean(self.axes).output_shape(*inputs)

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        mean = Mean(self.axes)
        return mean.forward(np.square(x - mean.forward(x)))


@dataclass(frozen=True, eq=False)
class ReciprocalLength(Curve):
    """Take 1/√max(x, bound) of the squared length of a vector, which multiplies that vector.

    Attributes:
        bound: zero until the values are known.
    """

    bound: float = 0.0

    @property
    def positive(self) -> bool:
        return True

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        y: Array = 1 / np.sqrt(np.maximum(x, x.dtype.type(self.bound)))
        return y


@dataclass(frozen=True, eq=False)
class Standardise(Layer):
    """Divide groups of values by the root of their mean square: x / √(mean x² + ε), perhaps less their mean.

    With `least`, the mean square is at least ε instead: x / √max(mean x², ε).

    Attributes:
        view: the shape in which a group of values lies along `axes`.
        axes: of that shape.
        epsilon: ε, above zero.
        centred: whether the mean is taken away.
        total: divide by the root of the sum of the squares instead.
        least: ε is the least mean square, and is not added.
    """

    view: Shape
    axes: Shape
    epsilon: float
    centred: bool = True
    total: bool = False
    least: bool = False

    def features(self) -> Iterator[tuple[str, str]]:
        yield "product", "divides activations by their own size"

    @property
    def contents(self) -> str:
        return "normalisation by its input"

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        if np.prod(shape) != np.prod(self.view):
            raise ValueError(f"{shape} cannot become {self.view}")
        return shape

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        v = x.reshape(len(x), *self.view)
        if self.centred:
            v = v - Mean(self.axes).forward(v)
        size = Mean(self.axes, self.total).forward(v * v)
        epsilon = x.dtype.type(self.epsilon)
        y: Array = v / np.sqrt(np.maximum(size, epsilon) if self.least else size + epsilon)
        return y.reshape(x.shape)
