"""Compose layers that map each spatial axis by itself: poolings, upsamplings, zeros, parts of images.

With A the map of the rows and B that of the columns, y = A x Bᵀ, a chain of such layers is A₂A₁ x (B₂B₁)ᵀ: one
stage of sums with whole factors. What is divided by goes into the weights: one number where all positions have
the same, as behind plain poolings; each position's own where weights are not shared; and else a common multiple,
with whole factors that make up for it. A convolution of single pixels W may stand before them:
A (x W) Bᵀ = (A x Bᵀ) W.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from kgenn.conversion.chain import Body, Head, Unstructured, planar
from kgenn.ir.axis_map import identity
from kgenn.ir.connectivity import Convolution
from kgenn.ir.resampling import MOST_AMOUNT, Resampling
from kgenn.layers.pooling import AveragePool
from kgenn.layers.resampled import Line, Resampled
from kgenn.layers.shape import ZeroPad


def resampled(head: Head, layer: Resampled | AveragePool | ZeroPad) -> Head:
    """Follow a layer from a chain that has not met weights, and whose zeros around the image are part of it."""
    head = head.shared()
    channels, by_channel, before = head.channels, head.by_channel, head.stage
    full, lines = layer.output_shape(head.shape), layer.lines(head.shape[:-1])
    if len(lines) > 2:
        raise Unstructured
    if len(lines) == 1:
        lines = (Line.whole(identity(1)), *lines)
    maps = [before.axis(axis).then(line.map, before.in_shape[axis]) for axis, line in enumerate(lines)]
    own = (*full[:-1], head.width)
    pool, common = Resampling(before.in_shape, planar(own), maps[0], maps[1]).reduced()
    if pool.largest > MOST_AMOUNT and pool.simplest() is pool:
        raise Unstructured
    divisors = (lines[0].divisors, lines[1].divisors)
    one = all((d == d[0]).all() for d in divisors)
    if one:
        by_channel = by_channel * common / prod(int(d[0]) for d in divisors)
    return replace(
        head,
        shape=full,
        pool=pool.simplest(),
        scale=np.broadcast_to(by_channel if one else by_channel * common, own).ravel(),
        place=np.arange(prod(full)).reshape(full)[..., channels].ravel(),
        divisors=None if one else divisors,
    )


def then_resampled(body: Body, layer: Resampled | AveragePool | ZeroPad) -> Body:
    """Follow a layer from a chain that has met the weights of single pixels."""
    first = body.connectivity
    assert isinstance(first, Convolution)
    channels, ones = first.in_shape[2], np.ones(prod(first.in_shape))
    image = Head((*body.shape[:-1], channels), channels, ones, np.arange(ones.size), body.pool)
    head = resampled(image, layer).shared()
    source = planar(head.shape)
    moved = replace(first, in_shape=source, out_shape=(*source[:2], first.out_shape[2]))
    scaled = moved.scaled(head.scale, np.ones(moved.num_targets))
    return Body(scaled, head.pool, layer.output_shape(body.shape))


def is_single_pixels(conv: Convolution) -> bool:
    """Tell whether a convolution maps each pixel to the one in its place."""
    same = conv.in_shape[:2] == conv.out_shape[:2]
    return same and conv.weights.shape[:2] == (1, 1) and conv.strides == (1, 1) and not np.any(conv.pads)
