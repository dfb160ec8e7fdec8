"""Read operations of images: patches, grey values, crops and borders."""

from __future__ import annotations

from math import prod
from typing import cast

import numpy as np

from kgenn.ir.graph import Layer, Shape
from kgenn.ir.windows import Padding
from kgenn.layers.activation import Identity
from kgenn.layers.config import LayerConfig, is_sizes
from kgenn.layers.conv import Conv
from kgenn.layers.cropping import Crop
from kgenn.layers.data_format import DataFormat, data_format
from kgenn.layers.dense import Dense
from kgenn.layers.shape import ZeroPad
from kgenn.layers.weights import Weights

Chain = tuple[Layer, ...]
# of red, green and blue, ITU-R BT.601 as TensorFlow has it
_LUMINANCE = (0.2989, 0.587, 0.114)
# entries of the kernel that takes patches, at most
MAX_ENTRIES = 1 << 24


def read_patches(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read patches of an image, which become the channels of one pixel each: rows, columns, then channels."""
    layout = data_format(config, inputs, 2)
    size = config.ints("size", 2)
    strides = config.ints("strides", 2, list(size))
    return _patches(config, layout, size, strides, config.ints("dilation_rate", 2, 1))


def read_tensorflow_patches(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read tf.image.extract_patches, whose sizes name the batch and the channels as 1."""
    sizes = [config.get(key, [1, 1, 1, 1]) for key in ("sizes", "strides", "rates")]
    for key, found in zip(("sizes", "strides", "rates"), sizes, strict=True):
        if not is_sizes(found) or len(found) != 4 or found[0] != 1 or found[3] != 1:
            raise config.odd(key, found, "1, two positive integers, 1")
    return _patches(config, data_format(config, inputs, 2), *(tuple(found[1:3]) for found in sizes))


def _patches(config: LayerConfig, layout: DataFormat, size: Shape, strides: Shape, dilation: Shape) -> Chain:
    """Return the convolution whose kernel is the identity."""
    count = prod(size) * layout.shape[-1]
    if count**2 > MAX_ENTRIES:
        raise ValueError(f"patches of {count:,} values are more than {int(MAX_ENTRIES**0.5):,}")
    padding = str(config.get("padding", "valid")).lower()
    if padding not in ("valid", "same"):
        raise config.bad("padding", "valid, same")
    kernel = np.eye(count, dtype=np.float32).reshape(*size, layout.shape[-1], count)
    return layout.wrap(Conv(kernel, None, strides, cast(Padding, padding), dilation))


def read_greyscale(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read the brightness of red, green and blue."""
    layout = data_format(config, inputs, 2)
    if layout.shape[-1] == 1:
        return (Identity(),)
    return layout.wrap(Dense(np.array(_LUMINANCE, np.float32)[:, None], None))


def read_crop(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read pixels that are cut off at the borders of an image."""
    layout = data_format(config, inputs, 2)
    return layout.wrap(Crop(_borders(config, layout.shape, "cropping", -1)))


def read_border(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read zeros around an image."""
    layout = data_format(config, inputs, 2)
    return layout.wrap(ZeroPad(_borders(config, layout.shape, "padding", 1)))


def _borders(config: LayerConfig, shape: Shape, word: str, sign: int) -> tuple[tuple[int, int], ...]:
    """Return (before, after) for height and width, where two of these and the new size are given."""
    found = []
    for size, before, after, target in zip(
        shape, ("top", "left"), ("bottom", "right"), ("target_height", "target_width"), strict=False
    ):
        values = [config.get(key, -1) for key in (f"{before}_{word}", f"{after}_{word}", target)]
        change = sign * (values[2] - size)
        if values[0] < 0 and values[2] >= 0 and values[1] >= 0:
            values[0] = change - values[1]
        if values[1] < 0 and values[2] >= 0:
            values[1] = change - values[0]
        if not is_sizes(values[:2], 0):
            raise config.odd(f"{before}_{word}", values[0], "two of both borders and the new size")
        found.append((values[0], values[1]))
    return tuple(found)
