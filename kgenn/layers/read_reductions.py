"""Read operations that reduce axes: means, sums and extrema, as poolings over all positions of these axes."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from kgenn.ir.graph import Layer, Shape
from kgenn.layers.activation import Activation, LogSumExp
from kgenn.layers.affine import Rescaling
from kgenn.layers.config import LayerConfig, only
from kgenn.layers.normalise import Variance
from kgenn.layers.pointwise import Pointwise
from kgenn.layers.pooling import AveragePool, MaxPool, Pool
from kgenn.layers.read_moves import axes_of
from kgenn.layers.shape import Permute, Reshape
from kgenn.layers.weights import Weights

Chain = tuple[Layer, ...]
# the order of a norm that is the root of the sum of all squares
_EUCLIDEAN = (None, "fro", "euclidean")


def read_mean(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read the mean over some axes."""
    return _reduced(AveragePool, config, inputs)


def read_sum(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read the sum over some axes."""
    return _summed(config, inputs)


def read_max(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read the maximum over some axes."""
    return _reduced(MaxPool, config, inputs)


def read_min(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read the minimum over some axes: min x = −max(−x)."""
    return (_times(-1.0), *_reduced(MaxPool, config, inputs), _times(-1.0))


def read_variance(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read the variance over some axes."""
    shape, axes = only(inputs), reduced_axes(config, only(inputs))
    return (Variance(tuple(axes)), Reshape(_left(config, shape, axes, 2)))


def read_deviation(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read the standard deviation over some axes."""
    return (*read_variance(config, weights, inputs), Activation("sqrt"))


def read_norm(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read the length of vectors: the root of the sum of squares, or the sum or the largest of |x|."""
    order = config.argument(1, "ord", default=None)
    if order not in (*_EUCLIDEAN, 1, 2, float("inf")):
        raise config.odd("ord", order, "None, 1, 2 or infinity")
    if len(reduced_axes(config, only(inputs), 2)) > 1 and order not in _EUCLIDEAN:
        raise config.odd("ord", order, "None for several axes")
    if order == 1:
        return (Activation("abs"), *_summed(config, inputs, 2))
    if order == float("inf"):
        return (Activation("abs"), *_reduced(MaxPool, config, inputs, 2))
    return (Activation("square"), *_summed(config, inputs, 2), Activation("sqrt"))


def read_log_sum(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read the logarithm of a sum of exponentials over some axes."""
    shape, axes = only(inputs), reduced_axes(config, only(inputs))
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    rows = (*(shape[axis] for axis in kept), prod(shape[axis] for axis in axes))
    return Permute((*kept, *axes)), Reshape(rows), LogSumExp(), Reshape(_left(config, shape, axes, 2))


def reduced_axes(config: LayerConfig, shape: Shape, place: int = 1) -> list[int]:
    """Return the axes that are reduced, the argument at a place, without the batch axis."""
    value = config.argument(place, "axis", "axes", default=None)
    if value is None:
        raise config.odd("axis", None, f"axes from 1 to {len(shape)}, without the batch")
    return sorted(set(axes_of(config, value, len(shape))))


def _left(config: LayerConfig, shape: Shape, axes: list[int], place: int) -> Shape:
    """Return the shape after a reduction, of which the argument at a place says whether axes stay."""
    keepdims: Any = config.argument(place, "keepdims", "keep_dims", default=False)
    return tuple(1 if i in axes else n for i, n in enumerate(shape) if keepdims or i not in axes)


def _summed(config: LayerConfig, inputs: tuple[Shape, ...], place: int = 1) -> Chain:
    """Return a mean over some axes, times the number of its values."""
    shape, axes = only(inputs), reduced_axes(config, only(inputs), place)
    return (*_reduced(AveragePool, config, inputs, place), _times(prod(shape[axis] for axis in axes)))


def _reduced(kind: type[Pool], config: LayerConfig, inputs: tuple[Shape, ...], place: int = 1) -> Chain:
    """Return a pooling over some axes; a mean over channels, which weights can be, is none."""
    shape = only(inputs)
    axes = reduced_axes(config, shape, place)
    target = _left(config, shape, axes, place + 1)
    last = len(shape) - 1
    if kind is not AveragePool or last not in axes:
        return (*_pooled(kind, shape, axes), Reshape(target))
    mean = Pointwise(np.full((1, shape[last], 1), 1 / shape[last]))
    rest = [axis for axis in axes if axis != last]
    return (mean, *(_pooled(kind, (*shape[:last], 1), rest) if rest else ()), Reshape(target))


def _pooled(kind: type[Pool], shape: Shape, axes: list[int]) -> Chain:
    """Return a pooling over axes: of an image where these are its pixels, else of a sequence of positions."""
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    lengths = tuple(shape[axis] for axis in axes)
    if len(lengths) <= 2 and kept == [len(shape) - 1]:
        return (kind(lengths, lengths, "valid"),)
    if kept and axes == [len(shape) - 1]:  # the channels of a position lie side by side: they are a row of pixels
        return (Reshape((prod(shape[:-1]), *lengths, 1)), kind((1, *lengths), (1, *lengths), "valid"))
    order = (*axes, *kept)
    moved = () if order == tuple(range(len(shape))) else (Permute(order),)
    size = (prod(lengths),)
    sequence = Reshape((*size, prod(shape[axis] for axis in kept)))
    return (*moved, sequence, kind(size, size, "valid"))


def _times(factor: float) -> Rescaling:
    return Rescaling(np.asarray(float(factor)), np.asarray(0.0))
