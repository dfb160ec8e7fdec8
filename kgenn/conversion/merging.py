"""Merge a convolution with the convolution of what it gives: one kernel that sees all that both see.

With strides s₁ and dilations d₁, d₂, tap k₁ of the first and tap k₂ of the second meet the source at
k₁·d₁ + k₂·s₁·d₂ from where the window starts. This is exact where the second has no zeros around its source;
behind a convolution of single pixels it may have some, since pixels of zeros give zeros.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd, prod

import numpy as np

from kgenn.conversion.chain import Unstructured, pair, pair_pads
from kgenn.ir.connectivity import Convolution
from kgenn.ir.graph import Array, Shape
from kgenn.layers.conv import Conv


@dataclass(frozen=True)
class MergedTaps:
    """How two convolutions of an axis become one.

    Attributes:
        first, second: from one tap to the next, in pixels of the source.
        counts: the taps of either.
        stride: from one window to the next, in pixels of the source.
    """

    first: int
    second: int
    counts: tuple[int, int]
    stride: int

    @property
    def dilation(self) -> int:
        """Return the distance of the taps of both together."""
        steps = (self.first if self.counts[0] > 1 else 0, self.second if self.counts[1] > 1 else 0)
        return gcd(*steps) or 1

    @property
    def taps(self) -> int:
        """Return the number of taps of both together."""
        return self.place(self.counts[0] - 1, self.counts[1] - 1) + 1

    def place(self, first: int, second: int) -> int:
        """Return the tap of both together at which two meet."""
        return (first * self.first + second * self.second) // self.dilation

    def pads(self, before: int, positions: int, size: int) -> tuple[int, int]:
        """Return the zeros around an axis of `size`, given those before it and the number of windows."""
        last = (positions - 1) * self.stride + (self.taps - 1) * self.dilation + 1
        return before, max(0, last - size - before)


def then_convolved(first: Convolution, layer: Conv, target: Shape, max_weights: int) -> Convolution:
    """Return the convolution that applies one and then a layer.

    Args:
        target: (height, width, channels) of what the layer gives.
        max_weights: weights of the kernel.

    Raises:
        Unstructured: where zeros lie between the two, or the kernel would be too large.
    """
    between = pair_pads(layer.pads(first.out_shape[2 - len(layer.size) : 2]))
    single = first.weights.shape[:2] == (1, 1) and not np.any(first.pads)
    if np.any(between) and not single:
        raise Unstructured
    second = layer.kernel.reshape(*pair(layer.size), *layer.kernel.shape[-2:]).astype(np.float64)
    strides, dilation = pair(layer.strides), pair(layer.dilation)
    axes = [
        MergedTaps(
            first.dilation[a],
            first.strides[a] * dilation[a],
            (first.weights.shape[a], second.shape[a]),
            first.strides[a] * strides[a],
        )
        for a in (0, 1)
    ]
    groups = _groups(first, second, layer.groups)
    shape = (axes[0].taps, axes[1].taps, first.in_shape[2] // groups, target[2])
    if prod(shape) > max_weights:
        raise Unstructured
    kernel = np.zeros(shape)
    for place in np.ndindex(*first.weights.shape[:2], *second.shape[:2]):
        both = _mixed(first.weights[place[:2]], first.groups, second[place[2:]], layer.groups)
        kernel[axes[0].place(place[0], place[2]), axes[1].place(place[1], place[3])] += both
    before = [first.pads[a][0] + first.strides[a] * between[a][0] for a in (0, 1)]
    pads = tuple(axis.pads(before[a], target[a], first.in_shape[a]) for a, axis in enumerate(axes))
    steps, apart = (axes[0].stride, axes[1].stride), (axes[0].dilation, axes[1].dilation)
    return replace(
        first, weights=kernel, out_shape=target, strides=steps, dilation=apart, pads=pads, groups=groups
    )


def _groups(first: Convolution, second: Array, groups: int) -> int:
    """Return the groups of channels that two convolutions keep apart."""
    if second.shape[2] == 1:
        return first.groups
    if first.weights.shape[2] == 1 and second.shape[2] % (first.weights.shape[3] // first.groups) == 0:
        return groups
    return gcd(first.groups, groups)


def _mixed(first: Array, first_groups: int, second: Array, second_groups: int) -> Array:
    """Return the product of two maps of channels, each of shape (inputs of a group, outputs of all groups)."""
    own, middle = first.shape
    read, out = second.shape
    if read == 1:
        return np.repeat(first, out // middle, axis=1) * second
    repeats = middle // first_groups
    if own == 1 and read % repeats == 0:
        by_group = np.repeat(first.reshape(second_groups, read), out // second_groups, axis=0)
        summed: Array = (by_group.T * second).reshape(read // repeats, repeats, out).sum(axis=1)
        return summed
    parts = gcd(first_groups, second_groups)
    products = _blocks(first, first_groups, parts) @ _blocks(second, second_groups, parts)
    return products.transpose(1, 0, 2).reshape(-1, out)


def ungrouped(kernel: Array, groups: int) -> Array:
    """Return a kernel of shape (height, width, inputs of a group, outputs) as one that reads all channels."""
    if groups == 1:
        return kernel
    whole = np.zeros((*kernel.shape[:2], kernel.shape[2] * groups, kernel.shape[3]))
    for place in np.ndindex(*kernel.shape[:2]):
        whole[place] = _blocks(kernel[place], groups, 1)[0]
    return whole


def _blocks(kernel: Array, groups: int, parts: int) -> Array:
    """Write the groups within each of some parts out: shape (parts, inputs of a part, outputs of a part)."""
    (own, outputs), inner = kernel.shape, groups // parts
    each = outputs // groups
    blocks = np.zeros((parts, inner * own, inner * each))
    for group in range(groups):
        part, place = divmod(group, inner)
        rows, columns = slice(place * own, (place + 1) * own), slice(place * each, (place + 1) * each)
        blocks[part, rows, columns] = kernel[:, group * each : (group + 1) * each]
    return blocks
