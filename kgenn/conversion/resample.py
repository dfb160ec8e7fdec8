"""Compose layers that map each spatial axis by itself: poolings, upsamplings, zeros, parts of images.

With A the map of the rows and B that of the columns, y = A x Bᵀ, a chain of such layers is A₂A₁ x (B₂B₁)ᵀ: one
stage of sums with whole factors. What is divided by goes into the weights: one number where all positions have
the same, as behind plain poolings; each position's own where weights are not shared; and else a common multiple,
with whole factors that make up for it. A convolution of single pixels W may stand before them:
A (x W) Bᵀ = (A x Bᵀ) W.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import lcm, prod

import numpy as np

from kgenn.conversion.chain import Unstructured, UnweightedChain, WeightedChain, pair_pads, planar
from kgenn.ir.axis_map import axis_map, identity, taken
from kgenn.ir.connectivity import Convolution
from kgenn.ir.graph import Array, Shape
from kgenn.ir.spike_sums import MAX_AMOUNT, Resampling
from kgenn.layers.along import Along, Take
from kgenn.layers.cropping import Crop
from kgenn.layers.pooling import AveragePool
from kgenn.layers.resampled import Line, Resampled
from kgenn.layers.shape import Broadcast, ZeroPad

# Layers that map each spatial axis by itself, some of them only where their axis is spatial.
Lined = Resampled | AveragePool | ZeroPad | Take | Along | Broadcast
# Fractions of an interpolation have denominators up to this, and are found to so many digits.
MAX_DIVISOR, EXACT = 4096, 1e-6


def resampled(chain: UnweightedChain, layer: Lined) -> UnweightedChain:
    """Follow a layer from a chain that has not met weights, and whose zeros around the image are part of it."""
    return along_axes(chain, lines_of(layer, chain.shape), layer.output_shape(chain.shape))


def along_axes(chain: UnweightedChain, lines: tuple[Line, ...], full: Shape) -> UnweightedChain:
    """Follow a map of each spatial axis, from a chain that has not met weights.

    Args:
        full: the shape that the maps give.
    """
    chain = chain.shared()
    channels, by_channel, before = chain.channels, chain.by_channel, chain.sums
    chain.check_sums()
    if len(lines) > 2:
        raise Unstructured
    if len(lines) == 1:
        lines = (Line.whole(identity(1)), *lines)
    maps = [before.axis(axis).then(line.map, before.in_shape[axis]) for axis, line in enumerate(lines)]
    own = (*full[:-1], chain.width)
    pool, common = Resampling(before.in_shape, planar(own), maps[0], maps[1]).reduced()
    if pool.largest > MAX_AMOUNT and pool.simplest() is pool:
        raise Unstructured
    divisors = (lines[0].divisors, lines[1].divisors)
    one = all((d == d[0]).all() for d in divisors)
    if one:
        by_channel = by_channel * common / prod(int(d[0]) for d in divisors)
    return replace(
        chain,
        shape=full,
        pool=pool.simplest(),
        scale=np.broadcast_to(by_channel if one else by_channel * common, own).ravel(),
        place=np.arange(prod(full)).reshape(full)[..., channels].ravel(),
        divisors=None if one else divisors,
    )


def lines_of(layer: Lined, shape: Shape) -> tuple[Line, ...]:
    """Return what a layer does along each spatial axis of a tensor.

    Raises:
        Unstructured: where it acts on channels, or its factors are no fractions of small numbers from 0 up.
    """
    sizes = shape[:-1]
    if isinstance(layer, Resampled | AveragePool | ZeroPad):
        return layer.lines(sizes)
    lines = [Line.whole(identity(size)) for size in sizes]
    if isinstance(layer, Broadcast):
        for axis, (before, after) in enumerate(zip(sizes, layer.shape[:-1], strict=True)):
            if before != after:
                lines[axis] = Line.whole(taken(np.zeros(after)))
        return tuple(lines)
    axis = len(shape) + layer.axis
    if axis >= len(sizes):
        raise Unstructured
    lines[axis] = Line.whole(taken(layer.indices)) if isinstance(layer, Take) else _interpolated(layer.matrix)
    return tuple(lines)


def _interpolated(matrix: Array) -> Line:
    """Return a map whose factors are fractions, as whole numbers and what they are divided by."""
    count, size = matrix.shape
    position, source = np.nonzero(matrix)
    fractions = [Fraction(float(f)).limit_denominator(MAX_DIVISOR) for f in matrix[position, source]]
    if any(f < 0 for f in fractions):
        raise Unstructured
    divisors = np.ones(count, np.int64)
    for row, fraction in zip(position, fractions, strict=True):
        divisors[row] = lcm(int(divisors[row]), fraction.denominator)
    whole = [int(f * int(d)) for f, d in zip(fractions, divisors[position], strict=True)]
    factors = np.array(whole, np.int64)
    if (np.abs(matrix[position, source] - factors / divisors[position]) > EXACT).any():
        raise Unstructured
    return Line(axis_map((position, source, factors), count, size), divisors)


def then_resampled(weighted: WeightedChain, layer: Lined) -> WeightedChain:
    """Follow a layer from a chain that has met the weights of single pixels, which may skip some."""
    first = weighted.connectivity
    assert isinstance(first, Convolution)
    channels, ones = first.in_shape[2], np.ones(prod(first.in_shape))
    image = UnweightedChain(
        (*_unplanar(first.in_shape, weighted), channels), channels, ones, np.arange(ones.size), weighted.pool
    )
    if first.strides != (1, 1):
        strides = first.strides[-(len(weighted.shape) - 1) :]
        kept = zip(weighted.shape[:-1], strides, strict=True)
        lines = tuple(Line.whole(taken(np.arange(count) * stride)) for count, stride in kept)
        image = along_axes(image, lines, (*weighted.shape[:-1], channels))
    given = (*layer.output_shape(weighted.shape)[:-1], channels)
    chain = along_axes(image, lines_of(layer, weighted.shape), given).shared()
    source = planar(chain.shape)
    moved = replace(first, in_shape=source, out_shape=(*source[:2], first.out_shape[2]), strides=(1, 1))
    scaled = moved.scaled(chain.scale, np.ones(moved.num_targets))
    return WeightedChain(scaled, chain.pool, layer.output_shape(weighted.shape))


def _unplanar(image: Shape, weighted: WeightedChain) -> Shape:
    """Return the spatial sizes of a source image, as many as the chain's tensor has."""
    return image[3 - len(weighted.shape) : 2]


def is_single_pixels(conv: Convolution) -> bool:
    """Tell whether each pixel that a convolution gives depends on one pixel."""
    return conv.weights.shape[:2] == (1, 1) and not np.any(conv.pads)


def cropped(weighted: WeightedChain, layer: Crop) -> WeightedChain:
    """Cut pixels off what a convolution gives: it starts later, and never reads some zeros or pixels."""
    old = weighted.connectivity
    assert isinstance(old, Convolution)
    after = layer.output_shape(weighted.shape)
    target, crops = planar(after), pair_pads(layer.crops)
    first = [old.pads[a][0] - crops[a][0] * old.strides[a] for a in (0, 1)]
    pool, source = weighted.pool, old.in_shape
    if min(first) < 0:
        cut = [max(0, -low) for low in first]
        source = (*(n - c for n, c in zip(source[:2], cut, strict=True)), source[2])
        ones = np.ones(prod(old.in_shape))
        chain = UnweightedChain(old.in_shape, old.in_shape[2], ones, np.arange(ones.size), pool)
        pool = resampled(chain, Crop(tuple((c, 0) for c in cut))).pool
    pads = []
    for a in (0, 1):
        before, span = max(0, first[a]), (old.weights.shape[a] - 1) * old.dilation[a] + 1
        pads.append((before, max(0, (target[a] - 1) * old.strides[a] + span - source[a] - before)))
    moved = replace(old, in_shape=source, out_shape=target, pads=tuple(pads))
    return WeightedChain(moved, pool, after)
