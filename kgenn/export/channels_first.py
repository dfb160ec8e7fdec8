"""Rewrite shapes, arrays and convolutions from channels last to channels first, as PyTorch and NIR count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kgenn.ir.connectivity import Convolution
from kgenn.ir.graph import Array, Shape

# A dense matrix stands for another connectivity up to so many weights (16 MiB).
LARGEST_MATRIX = 1 << 22


def moved(shape: Shape) -> Shape:
    """Return (*spatial, channels) as (channels, *spatial)."""
    return (shape[-1], *shape[:-1])


def image(values: Array, shape: Shape) -> Array:
    """Return one value for each neuron of a population as an array of its shape, channels first."""
    return np.ascontiguousarray(np.moveaxis(values.reshape(shape), -1, 0))


def columns(matrix: Array, shape: Shape) -> Array:
    """Return (sources, targets) as (targets, sources), the sources in the order of their flattened image.

    Args:
        shape: of the source population, channels last.
    """
    order = image(np.arange(len(matrix)), shape).ravel()
    return np.ascontiguousarray(matrix[order].T)


@dataclass(frozen=True, eq=False)
class Kernel:
    """A convolution as PyTorch counts, with as much padding before as after.

    Attributes:
        weights: shape (C_out, C_in / groups, height, width).
        padding: for each spatial axis.
    """

    weights: Array
    padding: Shape


def symmetric(conv: Convolution) -> Kernel | None:
    """Return a convolution with as much padding before as after, exact at the price of some taps of zero.

    A tap of zero put before the kernel needs `dilation` more zeros before the image and changes nothing else, one
    put after the kernel likewise. None where the difference is no multiple of the dilation.
    """
    taps, padding = [], []
    for axis in range(2):
        stride, dilation, before = conv.strides[axis], conv.dilation[axis], conv.pads[axis][0]
        reach = (conv.weights.shape[axis] - 1) * dilation + 1
        # the padding after the image that gives as many windows: the last may leave a rest shorter than a stride
        fewest = (conv.out_shape[axis] - 1) * stride + reach - before - conv.in_shape[axis]
        surplus = [n - before for n in range(fewest, fewest + stride) if (n - before) % dilation == 0]
        if not surplus:
            return None
        missing = min(surplus, key=abs)
        taps.append((max(missing, 0) // dilation, max(-missing, 0) // dilation))
        padding.append(before + max(missing, 0))
    weights = np.pad(conv.weights, (*taps, (0, 0), (0, 0))).transpose(3, 2, 0, 1)
    return Kernel(np.ascontiguousarray(weights), tuple(padding))
