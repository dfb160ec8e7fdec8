"""What the templates of generated programs say of the model's own preprocessing, from one description.

A program takes samples as the model takes them, and does what `InputTransform.apply` does before it encodes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from kgenn.ir.graph import Array, Shape
from kgenn.ir.network_input import NetworkInput


@dataclass(frozen=True)
class InputExpressions:
    """How samples become what the first weights take.

    Attributes:
        shape: of a sample as the model takes it.
        axes: the order of a batch's axes after the transposition; empty where there is none.
        places: size and stride of each transposed axis, the last axis first: where it lies in a sample; empty
            where there is no transposition.
        rescales: whether each value becomes x · scale + shift, see `scale_and_shift`.
    """

    shape: Shape
    axes: tuple[int, ...]
    places: tuple[tuple[int, int], ...]
    rescales: bool


def input_expressions(given: NetworkInput) -> InputExpressions:
    """Return how samples of an input become what the first weights take."""
    shape, transform = given.shape, given.transform
    axes = transform.axes if transform.transposes else ()
    strides = [prod(shape[axis + 1 :]) for axis in axes]
    places = [(shape[axis], stride) for axis, stride in zip(axes, strides, strict=True)]
    return InputExpressions(shape, tuple(axis + 1 for axis in axes), tuple(places[::-1]), transform.rescales)


def scale_and_shift(given: NetworkInput) -> Array:
    """Return the scale and the shift of input neuron i in row i % len, float64 of shape (len, 2).

    There is one row where all neurons share them, one for each channel, or else one for each neuron.
    """
    transform = given.transform
    shape = np.broadcast_shapes(transform.scale.shape, transform.shift.shape)
    if prod(shape[:-1]) > 1:  # else one for each channel, at most
        shape = tuple(given.shape[axis] for axis in transform.axes)
    both = [np.broadcast_to(array, shape).ravel() for array in (transform.scale, transform.shift)]
    return np.stack(both, axis=-1).astype(np.float64)
