"""Read the linear layers: convolutions and Dense."""

from __future__ import annotations

from typing import cast

from kgenn.ir.graph import Layer, Shape
from kgenn.ir.windows import Padding
from kgenn.layers.config import LayerConfig, only
from kgenn.layers.conv import Conv
from kgenn.layers.data_format import data_format, spatial_rank
from kgenn.layers.dense import Dense
from kgenn.layers.kernels import read_bias, read_dense_kernel, read_kernel
from kgenn.layers.read_activation import activation_of
from kgenn.layers.weights import Weights


def _padding(config: LayerConfig, rank: int) -> Padding:
    allowed = ("valid", "same", "causal") if rank == 1 else ("valid", "same")
    return cast(Padding, config.choice("padding", allowed, "valid"))


def read_conv(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read Conv1D, 2D and 3D; Keras 2.2 knows no groups."""
    layout, rank = data_format(config, inputs), spatial_rank(config)
    channels, filters, groups = layout.shape[-1], config.integer("filters"), config.integer("groups", 1)
    if channels % groups or filters % groups:
        raise config.bad("groups", f"a divisor of the {channels} input channels and the {filters} filters")
    kernel, bias = read_kernel(config, weights, (*config.ints("kernel_size", rank), channels // groups, filters))
    strides, dilation = config.ints("strides", rank, 1), config.ints("dilation_rate", rank, 1)
    conv = Conv(kernel, bias, strides, _padding(config, rank), dilation, groups)
    return layout.wrap(conv, activation=activation_of(config))


def _depthwise(config: LayerConfig, weights: Weights, channels: int, with_bias: bool) -> Conv:
    """Read a depthwise kernel, stored as (*size, C_in, multiplier), into one group for each channel."""
    rank, multiplier = spatial_rank(config), config.integer("depth_multiplier", 1)
    size, name = config.ints("kernel_size", rank), "kernel" if with_bias else "depthwise_kernel"
    kernel = weights.take(name, (*size, channels, multiplier)).reshape(*size, 1, channels * multiplier)
    bias = read_bias(config, weights, channels * multiplier) if with_bias else None
    strides, dilation = config.ints("strides", rank, 1), config.ints("dilation_rate", rank, 1)
    return Conv(kernel, bias, strides, _padding(config, rank), dilation, channels)


def read_depthwise(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read DepthwiseConv1D and DepthwiseConv2D."""
    layout = data_format(config, inputs)
    conv = _depthwise(config, weights, layout.shape[-1], with_bias=True)
    return layout.wrap(conv, activation=activation_of(config))


def read_separable(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read SeparableConv1D and SeparableConv2D: a depthwise convolution, then a pointwise one with the bias."""
    layout, rank = data_format(config, inputs), spatial_rank(config)
    ones, filters = (1,) * rank, config.integer("filters")
    depthwise = _depthwise(config, weights, layout.shape[-1], with_bias=False)
    kernel = weights.take("pointwise_kernel", (*ones, depthwise.kernel.shape[-1], filters))
    pointwise = Conv(kernel, read_bias(config, weights, filters), ones, "valid", ones)
    return layout.wrap(depthwise, pointwise, activation=activation_of(config))


def read_dense(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read Dense, which multiplies the last axis."""
    shape, units = only(inputs), config.integer("units")
    if not shape:
        raise ValueError("takes inputs with at least one axis beside the batch")
    kernel, bias = read_dense_kernel(config, weights, (shape[-1], units))
    return (Dense(kernel, bias), *activation_of(config))
