"""Read batch normalisation and the preprocessing layers Rescaling and Normalization."""

from __future__ import annotations

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.layers.affine import BatchNorm, Normalization, Rescaling
from kgenn.layers.config import LayerConfig, only
from kgenn.layers.data_format import with_channels_on
from kgenn.layers.weights import Weights


def read_batch_norm(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read BatchNormalization; an axis other than the last is transposed to the end and back."""
    shape = only(inputs)
    if config.flag("renorm", False):
        raise config.bad("renorm", "false")
    layout = with_channels_on(config.axis(config.get("axis", -1), len(shape)), shape)
    channels = layout.shape[-1:]
    gamma = weights.take("gamma", channels) if config.flag("scale", True) else None
    beta = weights.take("beta", channels) if config.flag("center", True) else None
    mean = weights.take("moving_mean", channels, trainable=False)
    epsilon = config.number("epsilon", 1e-3)
    if epsilon < 0:
        raise config.bad("epsilon", "a number from 0 up")
    # their sum is divided by
    least = 0.0 if epsilon else float(np.finfo(np.float32).tiny)
    variance = weights.take("moving_variance", channels, trainable=False, least=least)
    return layout.wrap(BatchNorm(gamma, beta, mean, variance, epsilon))


def _numbers(config: LayerConfig, key: str, default: float | None = None) -> Array:
    """Return an entry that is a number or nested lists of numbers, as a float64 array."""
    value = config.get(key) if default is None else config.get(key, default)
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise config.bad(key, "a number, or one for each channel") from None
    if not np.isfinite(array).all():
        raise config.bad(key, "finite numbers")
    return array


def _check_broadcast(array: Array, shape: Shape) -> None:
    """Raise ValueError where an array does not broadcast to a sample's shape."""
    if np.broadcast_shapes(array.shape, shape) != shape:
        raise ValueError(f"values of shape {array.shape} do not broadcast to an input of {shape}")


def read_rescaling(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read Rescaling, with a scale and an offset for all values or for each channel."""
    shape = only(inputs)
    scale, offset = _numbers(config, "scale"), _numbers(config, "offset", 0.0)
    _check_broadcast(scale, shape)
    _check_broadcast(offset, shape)
    return (Rescaling(scale, offset),)


def read_normalization(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read Normalization, whose statistics are given in the config or were adapted to data.

    They have one value for each position on the axes that `axis` keeps.
    """
    shape, value = only(inputs), config.get("axis", [])
    axes = sorted(config.axis(axis, len(shape)) for axis in (value if isinstance(value, list) else [value]))
    kept = tuple(shape[axis] for axis in axes)
    broadcast = tuple(size if axis in axes else 1 for axis, size in enumerate(shape))
    statistics = []
    for key in ("mean", "variance"):
        if config.get("mean", None) is None:
            array = weights.take(key, kept, trainable=False, least=0.0 if key == "variance" else None)
        else:
            # mean values align with the kept axes from the right, as NumPy broadcasts
            array = _numbers(config, key)
            if key == "variance" and (array < 0).any():
                raise config.bad(key, "numbers from 0 up")
            array = array.reshape(kept) if array.size == np.prod(kept) else np.broadcast_to(array, kept)
        statistics.append(array.reshape(broadcast))
    if config.get("mean", None) is None:
        weights.take("count", (), trainable=False)
    mean, variance = statistics
    return (Normalization(mean, variance, config.flag("invert", False)),)
