"""Read the layers of Keras 2 whose weights are not shared between positions.

Keras 2 stores them in three ways, which the entry `implementation` tells apart: 1, the default, is a kernel for
each position; 2 and 3 are the matrix from all inputs to all outputs, with its zeros and without.
"""

from __future__ import annotations

from math import prod

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.ir.windows import window_counts
from kgenn.layers.config import LayerConfig
from kgenn.layers.data_format import data_format, spatial_rank
from kgenn.layers.local import LocallyConnected
from kgenn.layers.read_activation import activation_of
from kgenn.layers.weights import Weights


def read_locally_connected(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read LocallyConnected1D and 2D, with a kernel stored for each position."""
    layout, rank = data_format(config, inputs), spatial_rank(config)
    *sizes, channels = layout.shape
    size, strides = config.ints("kernel_size", rank), config.ints("strides", rank, 1)
    config.choice("padding", ("valid",), "valid")
    if config.integer("implementation", 1) != 1:
        raise config.bad("implementation", "1, with a kernel for each position")
    filters = config.integer("filters")
    counts = window_counts(tuple(sizes), size, strides, (1,) * rank, ((0, 0),) * rank)
    stored = weights.take("kernel", (prod(counts), prod(size) * channels, filters))
    kernel = _ordered(stored, counts, size, channels, layout.channels == 0)
    bias = weights.take("bias", (*counts, filters)) if config.flag("use_bias", True) else None
    return layout.wrap(LocallyConnected(kernel, bias, strides), activation=activation_of(config))


def _ordered(stored: Array, counts: Shape, size: Shape, channels: int, channels_first: bool) -> Array:
    """Return kernels of shape (*counts, *size, C_in, C_out); windows are stored in the model's data format."""
    if not channels_first:
        return stored.reshape(*counts, *size, channels, -1)
    rank = len(size)
    return np.moveaxis(stored.reshape(*counts, channels, *size, -1), rank, -2)
