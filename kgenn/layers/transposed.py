"""Transposed convolution: zeros between the pixels, then a convolution with the kernel turned round.

A transposed convolution adds the kernel, times each pixel, to the result at every `stride`-th place::

    y[i·stride + k·dilation − before, o] += x[i, c] · kernel[k, o, c]

With z the image that has x[i] at i·stride and zeros between, and K − 1 the reach of the kernel, that is::

    y[p, o] = Σ_k,c z[p + k·dilation − (K − 1 − before), c] · kernel[−1 − k, o, c]
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from kgenn.ir.axis_map import AxisMap
from kgenn.ir.graph import Shape
from kgenn.ir.words import times
from kgenn.layers.conv import Conv
from kgenn.layers.resampled import Line, Resampled


@dataclass(frozen=True, eq=False)
class ZeroStuff(Resampled):
    """Put `strides` − 1 zeros between neighbouring pixels of each spatial axis."""

    auxiliary: ClassVar[bool] = True

    strides: Shape

    @property
    def contents(self) -> str:
        return f"zeros between pixels, strides {times(self.strides)}"

    @property
    def rank(self) -> int:
        return len(self.strides)

    def length(self, axis: int, size: int) -> int:
        return (size - 1) * self.strides[axis] + 1

    def line(self, axis: int, size: int) -> Line:
        position, stride = np.arange((size - 1) * self.strides[axis] + 1), self.strides[axis]
        taps = (position % stride == 0).astype(np.int32)[:, None]
        return Line.whole(AxisMap((position // stride).astype(np.int32), taps))


@dataclass(frozen=True, eq=False)
class TransposedConv(Conv):
    """The convolution of a transposed one, over the image with its zeros.

    Attributes:
        spread: the strides that put the zeros there, which take no multiplications.
    """

    spread: Shape = ()

    def macs(self, *inputs: Shape) -> int:
        ((*sizes, _),) = inputs
        return prod(-(-n // s) for n, s in zip(sizes, self.spread, strict=True)) * prod(self.kernel.shape)
