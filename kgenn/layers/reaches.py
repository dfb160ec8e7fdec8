"""What single values reach through convolutions, poolings, and maps of channels or of one axis."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np

from kgenn.ir.graph import Array, Shape
from kgenn.ir.reach import Reach, joined, runs
from kgenn.ir.windows import Pads


def through_channels(kernel: Array, shape: Shape, positions: Array) -> Reach:
    """Return what values reach through a map of the channels of each pixel.

    Args:
        kernel: shape (groups, channels before of a group, channels after of a group).
        shape: of the input, channels last.
        positions: flat, shape (n,).
    """
    groups, before, after = kernel.shape
    pixel, channel = np.divmod(positions, shape[-1])
    group, own = np.divmod(channel, before)
    first = pixel * groups * after + group * after
    return _each(np.arange(len(positions)), first, kernel[group, own])


def through_windows(
    kernel: Array, shape: Shape, counts: Shape, strides: Shape, dilation: Shape, pads: Pads, positions: Array
) -> Reach:
    """Return what values reach through a convolution.

    Args:
        kernel: shape (*size, groups, channels before of a group, channels after of a group).
        shape: of the input, (*sizes, channels).
        counts: the spatial sizes of the output.
        positions: flat, shape (n,).
    """
    rank = len(shape) - 1
    groups, before, after = kernel.shape[rank:]
    *pixel, channel = np.unravel_index(positions, shape)
    group, own = np.divmod(channel, before)
    found = []
    for tap in product(*map(range, kernel.shape[:rank])):
        target = np.zeros(len(positions), np.int64)
        inside = np.ones(len(positions), bool)
        for axis in range(rank):
            place, rest = np.divmod(pixel[axis] + pads[axis][0] - tap[axis] * dilation[axis], strides[axis])
            inside &= (rest == 0) & (place >= 0) & (place < counts[axis])
            target = target * counts[axis] + place
        rows = np.flatnonzero(inside)
        first = target[rows] * groups * after + group[rows] * after
        found.append(_each(rows, first, kernel[tap][group[rows], own[rows]]))
    return joined(found)


def through_axis(
    entries: tuple[Array, Array, Array], after: int, shape: Shape, axis: int, positions: Array
) -> Reach:
    """Return what values reach through a map of one axis.

    Args:
        entries: source, target and factor of each entry of the map, ordered by source.
        after: the length of the axis of the output.
        shape: of the input.
        positions: flat, shape (n,).
    """
    sources, targets, factors = entries
    inner = prod(shape[axis + 1 :])
    outer, place = np.divmod(positions, shape[axis] * inner)
    index, rest = np.divmod(place, inner)
    # what each position of the axis goes to, one after the other
    counts = np.bincount(sources, minlength=shape[axis])
    rows, steps = runs(counts[index])
    found = (np.cumsum(counts) - counts)[index[rows]] + steps
    reached = (outer[rows] * after + targets[found]) * inner + rest[rows]
    return Reach(rows, reached, factors[found].astype(np.float64))


def _each(rows: Array, first: Array, factors: Array) -> Reach:
    """Return for each row its factors, to adjacent targets from the first on."""
    after = factors.shape[1]
    targets = first[:, None] + np.arange(after)
    return Reach(np.repeat(rows, after), targets.ravel(), factors.ravel().astype(np.float64))
