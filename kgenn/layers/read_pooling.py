"""Read pooling layers; a global pool is a pool over the whole image, without its spatial axes afterwards."""

from __future__ import annotations

from typing import cast

from kgenn.ir.graph import Layer, Shape
from kgenn.ir.windows import Padding
from kgenn.layers.config import LayerConfig
from kgenn.layers.data_format import data_format, spatial_rank
from kgenn.layers.pooling import AveragePool, MaxPool, Pool
from kgenn.layers.shape import Reshape
from kgenn.layers.weights import Weights


def _pool(kind: type[Pool], config: LayerConfig, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    rank = spatial_rank(config)
    size = config.ints("pool_size", rank)
    padding = cast(Padding, config.choice("padding", ("valid", "same"), "valid"))
    return data_format(config, inputs).wrap(kind(size, config.ints("strides", rank, list(size)), padding))


def _global_pool(kind: type[Pool], config: LayerConfig, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    layout = data_format(config, inputs)
    *sizes, channels = layout.shape
    pool = kind(tuple(sizes), tuple(sizes), "valid")
    if config.flag("keepdims", False):
        return layout.wrap(pool)
    return (*layout.enter, pool, Reshape((channels,)))


def read_average_pool(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read AveragePooling1D and AveragePooling2D."""
    return _pool(AveragePool, config, inputs)


def read_max_pool(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read MaxPooling1D and MaxPooling2D."""
    return _pool(MaxPool, config, inputs)


def read_global_average_pool(
    config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]
) -> tuple[Layer, ...]:
    """Read GlobalAveragePooling1D and GlobalAveragePooling2D."""
    return _global_pool(AveragePool, config, inputs)


def read_global_max_pool(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read GlobalMaxPooling1D and GlobalMaxPooling2D."""
    return _global_pool(MaxPool, config, inputs)
