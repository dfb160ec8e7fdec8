"""Layers that join branches: sums, products, extrema and concatenation.

Those that work value by value broadcast their inputs as Keras does: an input of fewer axes gets axes of length 1
in front, after the batch axis.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate
from typing import ClassVar

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.layers.affine import times
from kgenn.layers.shape import AxisPad, Broadcast


class Merge(Layer):
    """A layer that joins its inputs value by value."""

    def output_shape(self, *inputs: Shape) -> Shape:
        try:
            return np.broadcast_shapes(*inputs)
        except ValueError:
            raise ValueError(f"inputs of shapes {inputs} do not broadcast to one") from None


class Folded(Merge):
    """A layer that joins its inputs one after the other, by a function of two values.

    Attributes:
        join: the function.
    """

    join: ClassVar[np.ufunc]

    def forward(self, *inputs: Array) -> Array:
        return reduce(self.join, aligned(inputs))


def aligned(inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    """Return batches with as many axes each, so that NumPy broadcasts sample by sample."""
    rank = max(x.ndim for x in inputs)
    return tuple(x.reshape(len(x), *(1,) * (rank - x.ndim), *x.shape[1:]) for x in inputs)


@dataclass(frozen=True, eq=False)
class Add(Folded):
    """Add the inputs."""

    linear: ClassVar[bool] = True
    keeps_sign: ClassVar[bool] = True
    join: ClassVar[np.ufunc] = np.add

    def shares(self, *inputs: Shape) -> tuple[tuple[Layer, ...], ...]:
        return _broadcast(self.output_shape(*inputs), inputs)


@dataclass(frozen=True, eq=False)
class Subtract(Merge):
    """Subtract the second input from the first."""

    linear: ClassVar[bool] = True

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(inputs) != 2:
            raise ValueError(f"takes two inputs, but is called on {len(inputs)}")
        return super().output_shape(*inputs)

    def shares(self, *inputs: Shape) -> tuple[tuple[Layer, ...], ...]:
        first, second = _broadcast(self.output_shape(*inputs), inputs)
        return first, (*second, times(-1.0))

    def forward(self, *inputs: Array) -> Array:
        first, second = aligned(inputs)
        result: Array = first - second
        return result


@dataclass(frozen=True, eq=False)
class Average(Merge):
    """Take the mean of the inputs, value by value."""

    linear: ClassVar[bool] = True
    keeps_sign: ClassVar[bool] = True

    def shares(self, *inputs: Shape) -> tuple[tuple[Layer, ...], ...]:
        chains = _broadcast(self.output_shape(*inputs), inputs)
        return tuple((*chain, times(1 / len(inputs))) for chain in chains)

    def forward(self, *inputs: Array) -> Array:
        mean: Array = reduce(np.add, aligned(inputs)) / inputs[0].dtype.type(len(inputs))
        return mean


@dataclass(frozen=True, eq=False)
class Multiply(Folded):
    """Multiply the inputs by each other."""

    keeps_sign: ClassVar[bool] = True
    join: ClassVar[np.ufunc] = np.multiply

    def features(self) -> Iterator[tuple[str, str]]:
        yield "product", "multiplies activations by each other"


@dataclass(frozen=True, eq=False)
class Divide(Merge):
    """Divide the first input by the second."""

    keeps_sign: ClassVar[bool] = True

    def features(self) -> Iterator[tuple[str, str]]:
        yield "product", "divides activations by each other"

    def forward(self, *inputs: Array) -> Array:
        first, second = aligned(inputs)
        result: Array = first / second
        return result


@dataclass(frozen=True, eq=False)
class ScaledAdd(Merge):
    """Add the second input, scaled, to the first."""

    linear: ClassVar[bool] = True

    scale: float

    def shares(self, *inputs: Shape) -> tuple[tuple[Layer, ...], ...]:
        first, second = _broadcast(self.output_shape(*inputs), inputs)
        return first, (*second, times(self.scale))

    def forward(self, *inputs: Array) -> Array:
        first, second = aligned(inputs)
        result: Array = first + second * second.dtype.type(self.scale)
        return result


@dataclass(frozen=True, eq=False)
class Maximum(Folded):
    """Take the largest of the inputs, value by value."""

    keeps_sign: ClassVar[bool] = True
    join: ClassVar[np.ufunc] = np.maximum

    def features(self) -> Iterator[tuple[str, str]]:
        yield "max-pool", "takes the maximum of activations"


@dataclass(frozen=True, eq=False)
class Minimum(Folded):
    """Take the smallest of the inputs, value by value."""

    keeps_sign: ClassVar[bool] = True
    join: ClassVar[np.ufunc] = np.minimum

    def features(self) -> Iterator[tuple[str, str]]:
        yield "max-pool", "takes the minimum of activations"


@dataclass(frozen=True, eq=False)
class Dot(Layer):
    """Multiply two inputs as matrices: y[…, …] = Σ_k x[…, k, …] · z[…, k, …].

    The axes of the first input come before those of the second, both without the one that is summed over. A single
    value is left with an axis of its own.

    Attributes:
        axes: the axis of each input that is summed over, without the batch axis.
        normalize: divide both inputs by their length along it first, which gives the cosine of their angle.
    """

    keeps_sign: ClassVar[bool] = True

    axes: tuple[int, int]
    normalize: bool = False

    def features(self) -> Iterator[tuple[str, str]]:
        yield "product", "multiplies activations by each other"

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(inputs) != 2:
            raise ValueError(f"takes two inputs, but is called on {len(inputs)}")
        if any(axis >= len(shape) for axis, shape in zip(self.axes, inputs, strict=True)):
            raise ValueError(f"axes {self.axes} are not those of inputs of shapes {inputs}")
        (left, right), (first, second) = self.axes, inputs
        if first[left] != second[right]:
            raise ValueError(f"inputs of shapes {inputs} do not fit along the axes {self.axes}")
        return (*first[:left], *first[left + 1 :], *second[:right], *second[right + 1 :]) or (1,)

    def forward(self, *inputs: Array) -> Array:
        shape = self.output_shape(*(x.shape[1:] for x in inputs))
        last = [np.moveaxis(x, axis + 1, -1) for x, axis in zip(inputs, self.axes, strict=True)]
        if self.normalize:
            last = [_unit(x) for x in last]
        first, second = (x.reshape(len(x), -1, x.shape[-1]) for x in last)
        product: Array = first @ second.transpose(0, 2, 1)
        return product.reshape(len(first), *shape)

    def macs(self, *inputs: Shape) -> int:
        return int(np.prod(self.output_shape(*inputs), dtype=object)) * inputs[0][self.axes[0]]


@dataclass(frozen=True, eq=False)
class Concatenate(Layer):
    """Join along an axis, counted from the end (−1 is the channels)."""

    linear: ClassVar[bool] = True
    keeps_sign: ClassVar[bool] = True

    axis: int = -1

    def shares(self, *inputs: Shape) -> tuple[tuple[Layer, ...], ...]:
        lengths = [shape[self.axis] for shape in inputs]
        ends = list(accumulate(lengths))
        return tuple((AxisPad(end - n, ends[-1], self.axis),) for end, n in zip(ends, lengths, strict=True))

    def output_shape(self, *inputs: Shape) -> Shape:
        axis = self.axis + len(inputs[0])
        rests = {shape[:axis] + shape[axis + 1 :] for shape in inputs}
        if axis < 0 or len(rests) != 1:
            raise ValueError(f"shapes {inputs} do not join along axis {self.axis}")
        total = sum(shape[axis] for shape in inputs)
        return (*inputs[0][:axis], total, *inputs[0][axis + 1 :])

    def forward(self, *inputs: Array) -> Array:
        return np.concatenate(inputs, axis=self.axis)


def _broadcast(shape: Shape, inputs: tuple[Shape, ...]) -> tuple[tuple[Layer, ...], ...]:
    """Return for each input the layer that repeats it to a shape, if one is needed."""
    return tuple(() if given == shape else (Broadcast(shape),) for given in inputs)


def _unit(x: Array) -> Array:
    """Divide vectors by their lengths; zeros stay."""
    length = np.sqrt((x * x).sum(axis=-1, keepdims=True))
    unit: Array = x / np.maximum(length, x.dtype.type(1e-6))
    return unit
