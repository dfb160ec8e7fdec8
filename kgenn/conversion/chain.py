"""A chain of linear layers in the making: before it has met weights, and after."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import lcm, prod

import numpy as np

from kgenn.ir.axis_map import AxisMap, identity
from kgenn.ir.connectivity import Convolution, DenseConnectivity
from kgenn.ir.graph import Array, Shape
from kgenn.ir.spike_sums import MAX_AMOUNT, Resampling, SpikeSums
from kgenn.ir.windows import Pads


class Unstructured(Exception):
    """A chain that has no structure kgenn knows; it is searched instead."""


@dataclass(frozen=True, eq=False)
class UnweightedChain:
    """A chain that has not met weights yet: every source value goes to at most one place.

    Attributes:
        shape: of the tensor so far.
        width: the number of own channels: what all pixels of one have in common must stay in common.
        pool: the sums taken so far.
        scale: the factor of each own value, shape of the population after pooling, flat.
        place: the position of each own value in the tensor so far, flat, shape of `scale`; values of one place
            are added up.
        pads: zeros around the spatial axes, not yet part of `shape`'s positions.
        divisors: by which the sums of each row and of each column are still to be divided, none where that is 1.
    """

    shape: Shape
    width: int
    scale: Array
    place: Array
    pool: SpikeSums | None = None
    pads: tuple[tuple[int, int], ...] = ()
    divisors: tuple[Array, Array] | None = None

    @property
    def channels(self) -> Array:
        """Return the channel of the tensor in which each own channel is, shape (own channels,).

        Raises:
            Unstructured: where own values change their pixels, or channels are not the same in all pixels.
        """
        pixels, channels = prod(self.shape[:-1]), self.shape[-1]
        if len(self.place) != pixels * self.width:
            raise Unstructured
        pixel, channel = np.divmod(self.place.reshape(pixels, -1), channels)
        if (pixel != np.arange(pixels)[:, None]).any() or (channel != channel[0]).any():
            raise Unstructured
        first: Array = channel[0]
        return first

    @property
    def by_channel(self) -> Array:
        """Return the scale of each own channel, where it is the same for every pixel."""
        by_pixel = self.scale.reshape(prod(self.shape[:-1]), -1)
        if (by_pixel != by_pixel[0]).any():
            raise Unstructured
        scale: Array = by_pixel[0]
        return scale

    def settled(self) -> UnweightedChain:
        """Return the chain with its divisors in the scales, where each value has one of its own."""
        if self.divisors is None:
            return self
        by_pixel = 1.0 / np.outer(*self.divisors).ravel()
        return replace(self, scale=self.scale * np.repeat(by_pixel, self.width), divisors=None)

    def shared(self) -> UnweightedChain:
        """Return the chain with one scale for all pixels of a channel: with L a common multiple, Σ/d = Σ·(L/d)/L.

        Raises:
            Unstructured: where the factors get too large.
        """
        if self.divisors is None:
            return self
        multiples = [lcm(*map(int, np.unique(d))) for d in self.divisors]
        if max(multiples) > MAX_AMOUNT:
            raise Unstructured
        sums = self.sums
        rows, columns = (
            AxisMap(sums.axis(axis).start, sums.axis(axis).taps * (multiples[axis] // d)[:, None])
            for axis, d in enumerate(self.divisors)
        )
        pool, common = Resampling(sums.in_shape, sums.out_shape, rows, columns).reduced()
        if pool.largest > MAX_AMOUNT:
            raise Unstructured
        scale = self.scale * (common / prod(multiples))
        return replace(self, pool=pool.simplest(), scale=scale, divisors=None)

    def check_sums(self) -> None:
        """Raise Unstructured where the rows and columns of the sums so far are no longer those of the tensor."""
        if self.pool is not None and self.pool.out_shape[:2] != planar(self.shape)[:2]:
            raise Unstructured

    @property
    def sums(self) -> SpikeSums:
        """Return the sums so far, those of single values where there are none."""
        if self.pool is not None:
            return self.pool
        image = planar((*self.shape[:-1], self.width))
        return Resampling(image, image, identity(image[0]), identity(image[1]))


@dataclass(frozen=True, eq=False)
class WeightedChain:
    """A chain that has met weights: a connectivity, and the shape of its targets."""

    connectivity: Convolution | DenseConnectivity
    pool: SpikeSums | None
    shape: Shape


def planar(shape: Shape) -> Shape:
    """Return (length, channels) as an image of height 1; leave images as they are."""
    return (1, *shape) if len(shape) == 2 else shape


def pair_pads(pads: Pads) -> Pads:
    """Return two numbers for each axis of an image, given those of a sequence or of an image."""
    return ((0, 0), *pads) if len(pads) == 1 else pads


def pair(values: Shape) -> Shape:
    """Return one number for each axis of an image, given those of a sequence or of an image."""
    return (1, *values) if len(values) == 1 else tuple(values)
