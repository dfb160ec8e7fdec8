"""Read pooling layers; a global pool is a pool over the whole image, without its spatial axes afterwards."""

from __future__ import annotations

from math import prod
from typing import cast

import numpy as np

from kgenn.ir.graph import Layer, Shape
from kgenn.ir.windows import Padding
from kgenn.layers.adaptive import AdaptivePool, windows_of
from kgenn.layers.along import Take, check_positions
from kgenn.layers.config import LayerConfig
from kgenn.layers.data_format import data_format, spatial_rank
from kgenn.layers.pooling import AveragePool, MaxPool, Pool
from kgenn.layers.shape import Permute, Reshape
from kgenn.layers.weights import Weights


def pool(kind: type[Pool], config: LayerConfig, inputs: tuple[Shape, ...], rank: int) -> tuple[Layer, ...]:
    """Read a pooling over some spatial axes."""
    size = config.ints("pool_size", rank)
    padding = cast(Padding, config.choice("padding", ("valid", "same"), "valid"))
    layout = data_format(config, inputs, rank)
    return layout.wrap(*pooled(kind, layout.shape, size, config.ints("strides", rank, list(size)), padding))


def _pool(kind: type[Pool], config: LayerConfig, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    return pool(kind, config, inputs, spatial_rank(config))


def pooled(kind: type[Pool], shape: Shape, size: Shape, strides: Shape, padding: Padding) -> tuple[Layer, ...]:
    """Return a pooling; over three axes first over the last two, then over the first.

    An average and a maximum over a box are those over its depth of those over its layers, and the poolings of
    images and sequences have structure:

        (D, H, W, C) → (H, W, D·C), pooled to (H', W', D·C) → (D, H'·W'·C), pooled to (D', H'·W'·C)
    """
    if len(size) < 3:
        return (kind(size, strides, padding),)
    depth, height, width, channels = shape
    flat = kind(size[1:], strides[1:], padding)
    rows, columns, _ = flat.output_shape((height, width, depth * channels))
    deep = kind(size[:1], strides[:1], padding)
    length, _ = deep.output_shape((depth, rows * columns * channels))
    return (
        *(Permute((1, 2, 0, 3)), Reshape((height, width, depth * channels)), flat),
        *(Reshape((rows, columns, depth, channels)), Permute((2, 0, 1, 3))),
        *(Reshape((depth, rows * columns * channels)), deep, Reshape((length, rows, columns, channels))),
    )


def _global_pool(kind: type[Pool], config: LayerConfig, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    layout = data_format(config, inputs)
    *sizes, channels = layout.shape
    size = tuple(sizes) if len(sizes) < 3 else (prod(sizes),)
    sequence = () if len(sizes) < 3 else (Reshape((*size, channels)),)
    layers = (*sequence, kind(size, size, "valid"))
    if config.flag("keepdims", False):
        return layout.wrap(*layers, *(() if len(sizes) < 3 else (Reshape((1, 1, 1, channels)),)))
    return (*layout.enter, *layers, Reshape((channels,)))


def read_average_pool(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read AveragePooling1D, 2D and 3D."""
    return _pool(AveragePool, config, inputs)


def read_max_pool(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read MaxPooling1D, 2D and 3D."""
    return _pool(MaxPool, config, inputs)


def read_global_average_pool(
    config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]
) -> tuple[Layer, ...]:
    """Read GlobalAveragePooling1D, 2D and 3D."""
    return _global_pool(AveragePool, config, inputs)


def read_global_max_pool(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read GlobalMaxPooling1D, 2D and 3D."""
    return _global_pool(MaxPool, config, inputs)


def read_adaptive_average_pool(
    config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]
) -> tuple[Layer, ...]:
    """Read AdaptiveAveragePooling1D, 2D and 3D."""
    return data_format(config, inputs).wrap(AdaptivePool(config.ints("output_size", spatial_rank(config))))


def read_adaptive_max_pool(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read AdaptiveMaxPooling1D, 2D and 3D: windows side by side, the shorter ones with their last pixel again."""
    layout, counts = data_format(config, inputs), config.ints("output_size", spatial_rank(config))
    *sizes, channels = layout.shape
    takes, size = [], []
    for axis, (length, count) in enumerate(zip(sizes, counts, strict=True)):
        check_positions(length, count)
        starts, stops = windows_of(length, count)
        size.append(int((stops - starts).max()))
        check_positions(size[-1] * count)
        places = np.minimum(starts[:, None] + np.arange(size[-1]), stops[:, None] - 1).ravel()
        if not np.array_equal(places, np.arange(length)):
            takes.append(Take(places, axis - len(layout.shape)))
    apart = tuple(k * count for k, count in zip(size, counts, strict=True))
    return layout.wrap(*takes, *pooled(MaxPool, (*apart, channels), tuple(size), tuple(size), "valid"))
