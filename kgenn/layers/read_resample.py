"""Read the layers that give an image another size: upsampling, cropping, transposed convolution."""

from __future__ import annotations

from typing import cast

import numpy as np

from kgenn.ir.graph import Layer, Shape
from kgenn.ir.windows import Pads
from kgenn.layers.activation import Identity
from kgenn.layers.config import LayerConfig, is_sizes
from kgenn.layers.cropping import Crop
from kgenn.layers.data_format import data_format, spatial_rank
from kgenn.layers.kernels import read_kernel
from kgenn.layers.read_activation import activation_of
from kgenn.layers.read_resize import METHODS, interpolated
from kgenn.layers.transposed import TransposedConv, ZeroStuff
from kgenn.layers.upsampling import Interpolation, UpSample
from kgenn.layers.weights import Weights


def read_upsampling(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read UpSampling1D and 3D, which repeat steps and voxels, and UpSampling2D."""
    rank = spatial_rank(config)
    interpolation = config.choice("interpolation", METHODS if rank == 2 else ("nearest",), "nearest")
    layout, factors = data_format(config, inputs), config.ints("size", rank)
    if interpolation == "bicubic":
        height, width, _ = layout.shape
        chain = interpolated((height, width), (height * factors[0], width * factors[1]), interpolation)
        return layout.wrap(*chain or (Identity(),))
    return layout.wrap(UpSample(factors, cast(Interpolation, interpolation)))


def read_cropping(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read Cropping1D, 2D and 3D."""
    crops = config.pairs("cropping", spatial_rank(config), "a number of pixels")
    return data_format(config, inputs).wrap(Crop(crops))


def read_transposed_conv(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read Conv1DTranspose, 2D and 3D, whose kernel is stored as (*size, C_out, C_in)."""
    layout, rank = data_format(config, inputs), spatial_rank(config)
    *sizes, channels = layout.shape
    size, strides = config.ints("kernel_size", rank), config.ints("strides", rank, 1)
    dilation = config.ints("dilation_rate", rank, 1)
    if config.integer("groups", 1) != 1:
        raise config.bad("groups", "1")
    reach = tuple((k - 1) * d + 1 for k, d in zip(size, dilation, strict=True))
    pads = _pads(config, tuple(sizes), reach, strides)
    filters = config.integer("filters")
    stored, bias = read_kernel(config, weights, (*size, filters, channels), filters)
    kernel = np.swapaxes(np.flip(stored, tuple(range(rank))), -1, -2)
    conv = TransposedConv(kernel, bias, (1,) * rank, pads, dilation, spread=strides)
    spread = () if set(strides) == {1} else (ZeroStuff(strides),)
    return layout.wrap(*spread, conv, activation=activation_of(config))


def _pads(config: LayerConfig, sizes: Shape, reach: Shape, strides: Shape) -> Pads:
    """Return the zeros around the image that has `strides` − 1 zeros between its pixels already."""
    same = config.choice("padding", ("valid", "same"), "valid") == "same"
    pads = []
    for axis, (n, k, s) in enumerate(zip(sizes, reach, strides, strict=True)):
        full = (n - 1) * s + k
        extra = _output_padding(config, len(sizes), strides)[axis]
        if extra is None:
            length = n * s if same else full + max(s - k, 0)
        else:
            length = (n - 1) * s + k % 2 + extra if same else full + extra
        # the kernel's ends that are cut off: as for the convolution that this one transposes
        cut = max(full - length, 0)
        before = k - 1 - cut // 2
        pads.append((before, length + k - 2 - (n - 1) * s - before))
    return tuple(pads)


def _output_padding(config: LayerConfig, rank: int, strides: Shape) -> tuple[int | None, ...]:
    """Return the pixels beyond the least on each axis, fewer than its stride; None where Keras chooses."""
    value = config.get("output_padding", None)
    if value is None:
        return (None,) * rank
    found = [value] * rank if isinstance(value, int) else value
    if (
        not is_sizes(found, minimum=0)
        or len(found) != rank
        or any(n >= s for n, s in zip(found, strides, strict=True))
    ):
        raise config.bad("output_padding", f"{rank} integers from 0 up, each less than its stride")
    return tuple(found)
