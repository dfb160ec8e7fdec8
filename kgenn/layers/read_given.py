"""Read operations whose weights stand in the call as constants: convolutions, normalisations and averages."""

from __future__ import annotations

from typing import cast

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.ir.windows import Padding
from kgenn.layers.affine import BatchNorm
from kgenn.layers.along import Along
from kgenn.layers.config import LayerConfig, Operand, OutputChains, only
from kgenn.layers.constants import constant
from kgenn.layers.conv import Conv
from kgenn.layers.data_format import data_format, with_channels_on
from kgenn.layers.normalise import Standardise
from kgenn.layers.read_moves import axes_of
from kgenn.layers.read_normalise import gains
from kgenn.layers.read_reductions import read_mean, read_variance
from kgenn.layers.shape import Reshape
from kgenn.layers.weights import Weights

Chain = tuple[Layer, ...]
# the least value that Keras adds to what it divides by
_EPSILON = 1e-7


def read_convolution(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read a convolution with a constant kernel."""
    layout = data_format(config, inputs, len(only(inputs)) - 1)
    kernel = _kernel(config, 1, "kernel", len(layout.shape) + 1)
    if kernel.shape[-2] != layout.shape[-1]:
        raise config.odd("kernel", f"an array of shape {kernel.shape}", f"one for {layout.shape[-1]} channels")
    return layout.wrap(_conv(config, kernel, 1))


def read_depthwise_convolution(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read a depthwise convolution with a constant kernel."""
    layout = data_format(config, inputs, len(only(inputs)) - 1)
    return layout.wrap(_depthwise(config, "kernel", layout.shape))


def read_separable_convolution(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read a depthwise and a pointwise convolution with constant kernels."""
    layout = data_format(config, inputs, len(only(inputs)) - 1)
    rank = len(layout.shape) - 1
    pointwise = _kernel(config, 2, "pointwise_kernel", rank + 2)
    ones = (1,) * rank
    return layout.wrap(
        _depthwise(config, "depthwise_kernel", layout.shape), Conv(pointwise, None, ones, "valid", ones)
    )


def _depthwise(config: LayerConfig, key: str, shape: Shape) -> Conv:
    kernel = _kernel(config, 1, key, len(shape) + 1)
    if kernel.shape[-2] != shape[-1]:
        raise config.odd(key, f"an array of shape {kernel.shape}", f"one for {shape[-1]} channels")
    return _conv(config, kernel.reshape(*kernel.shape[:-2], 1, -1), shape[-1])


def _conv(config: LayerConfig, kernel: Array, groups: int) -> Conv:
    rank = kernel.ndim - 2
    strides, dilation = config.ints("strides", rank, 1), config.ints("dilation_rate", rank, 1)
    padding = cast(Padding, config.choice("padding", ("valid", "same"), "valid"))
    return Conv(kernel, None, strides, padding, dilation, groups)


def _kernel(config: LayerConfig, position: int, key: str, rank: int) -> Array:
    """Return a constant kernel of some number of axes."""
    kernel = _given(config, position, key)
    if kernel is None or kernel.ndim != rank:
        raise config.odd(key, config.argument(position, key, default=None), f"a constant array of {rank} axes")
    return kernel


def _given(config: LayerConfig, position: int, key: str) -> Array | None:
    """Return an argument that is a constant, as float32, or None where it is not given."""
    value = config.argument(position, key, default=None)
    if isinstance(value, Operand):
        raise config.odd(key, "a tensor", "a constant")
    return None if value is None else constant(config, value, key).astype(np.float32)


def read_batch_normalization(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read batch normalisation with constant statistics, along one axis."""
    shape = only(inputs)
    layout = with_channels_on(config.axis(config.get("axis"), len(shape)), shape)
    given = [_given(config, i, key) for i, key in enumerate(("mean", "variance", "offset", "scale"), start=1)]
    mean, variance, offset, scale = given
    if (
        mean is None
        or variance is None
        or any(each is not None and each.shape != layout.shape[-1:] for each in given)
    ):
        raise config.odd("mean, variance, offset, scale", "others", f"vectors of {layout.shape[-1]} values")
    epsilon = config.number("epsilon", 1e-3)
    if (variance + epsilon <= 0).any():
        raise config.odd("variance", float(variance.min()), "values above 0")
    return layout.wrap(BatchNorm(scale, offset, mean, variance, epsilon))


def read_layer_normalization(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read layer normalisation with constant gains, along any axes."""
    if config.flag("rms_scaling", False):
        raise config.bad("rms_scaling", "false; use rms_normalization")
    return _normalised(config, inputs, "gamma", centred=True)


def read_rms_normalization(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read a division by the root of the mean square, with constant gains, along any axes."""
    return _normalised(config, inputs, "scale", centred=False)


def _normalised(config: LayerConfig, inputs: tuple[Shape, ...], key: str, centred: bool) -> Chain:
    shape = only(inputs)
    axes = tuple(sorted(set(axes_of(config, config.get("axis", -1), len(shape)))))
    kept = tuple(shape[axis] for axis in axes)
    gamma, beta = _given(config, 1, key), _given(config, 2, "beta") if centred else None
    if any(each is not None and each.shape != kept for each in (gamma, beta)):
        raise config.odd(f"{key}, beta", "others", f"arrays of shape {kept}")
    epsilon = config.number("epsilon", _EPSILON)
    if epsilon <= 0:
        raise config.bad("epsilon", "a number above 0")
    return (Standardise(shape, axes, epsilon, centred=centred), *gains(gamma, beta, shape, axes))


def read_average(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read the mean along an axis, perhaps with a constant weight of each position."""
    shape, share = only(inputs), _given(config, 1, "weights")
    if share is None:
        return read_mean(config, weights, inputs)
    axis = config.axis(config.get("axis"), len(shape))
    if share.shape != (shape[axis],) or not share.sum():
        raise config.odd("weights", f"an array of shape {share.shape}", f"{shape[axis]} numbers")
    mixed = Along((share / share.sum())[None], axis - len(shape))
    return (mixed, Reshape((*shape[:axis], *shape[axis + 1 :])))


def read_moments(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> OutputChains:
    """Read the mean and the variance over some axes."""
    return OutputChains((read_mean(config, weights, inputs), read_variance(config, weights, inputs)))
