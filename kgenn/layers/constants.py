"""Constants in configs and calls, as arrays, and the affine layers that they make."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.layers.affine import Rescaling
from kgenn.layers.config import LARGEST_NUMBER, LayerConfig, Operand
from kgenn.layers.shape import Broadcast


def constant(config: LayerConfig, value: Any, key: str) -> Array:
    """Return a number or nested lists of numbers as a float64 array."""
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        array = np.asarray(np.nan)
    if not (np.abs(array) <= LARGEST_NUMBER).all():
        raise config.odd(key, value, "a tensor, or finite numbers of float32")
    return array


def for_samples(array: Array, rank: int) -> Array:
    """Return a constant without its batch axis, to go with samples of some rank.

    Raises:
        ValueError: where it has more axes, or is not the same for all samples.
    """
    if array.ndim <= rank:
        return array
    if array.ndim > rank + 1 or array.shape[0] != 1:
        raise ValueError(f"a constant of shape {array.shape} does not go with samples of {rank} axes")
    first: Array = array[0]
    return first


def affine(shape: Shape, scale: Array, offset: Array) -> tuple[Layer, ...]:
    """Return the layers of x · scale + offset, which may repeat x."""
    scale, offset = (for_samples(array, len(shape)) for array in (scale, offset))
    try:
        whole = np.broadcast_shapes(shape, scale.shape, offset.shape)
    except ValueError:
        raise ValueError(
            f"a constant of shape {np.broadcast(scale, offset).shape} does not go with {shape}"
        ) from None
    repeated = () if whole == shape else (Broadcast(whole),)
    return (*repeated, Rescaling(scale, offset))


def operand(config: LayerConfig, position: int, *names: str) -> Operand:
    """Return an argument of an operation that must be a tensor."""
    value = config.argument(position, *names)
    if not isinstance(value, Operand):
        raise config.odd(names[0], value, "a tensor")
    return value
