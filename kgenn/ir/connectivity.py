"""Connectivity: which source neuron reaches which target neuron, and with what weight.

Neurons are numbered in C order of their population's shape, channels last. Every kind holds one array of
weights; `apply` is the linear map itself, written in the plainest way, and is what backends are tested against.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import ClassVar, Literal, Self

import numpy as np

from kgenn.ir.graph import Array, Shape
from kgenn.ir.windows import Pads, convolved, windows

WeightGrid = Literal["layer", "channel"]
# Weights that are looked at at once: a layer may have many.
BLOCK = 1 << 20


@dataclass(frozen=True, eq=False)
class Connectivity(ABC):
    """A linear map from source neurons to target neurons.

    Attributes:
        kind: its name in comments of generated code and in stored networks.
        weights: the synaptic weights, in the layout of the kind.
    """

    kind: ClassVar[str]

    weights: Array

    @property
    @abstractmethod
    def num_sources(self) -> int:
        """Return the number of source neurons."""

    @property
    @abstractmethod
    def num_targets(self) -> int:
        """Return the number of target neurons."""

    @abstractmethod
    def apply(self, x: Array) -> Array:
        """Map source values of shape (N, num_sources) to target values of shape (N, num_targets)."""

    @abstractmethod
    def fan_out(self) -> Array:
        """Return the number of synapses of each source neuron, shape (num_sources,), int64."""

    @abstractmethod
    def into_targets(self, values: Array) -> Array:
        """Sum one value per synapse over the synapses into each target, as if no source were missing at a border.

        Args:
            values: shape of `weights`.

        Returns:
            Shape (num_targets,).
        """

    def received(self, values: Array, sent: Array) -> Array:
        """Sum over the synapses into each target one value per synapse times what its source sends.

        No source is missing at a border.

        Args:
            values: shape of `weights`.
            sent: shape () or (channels,); the channels of sources are their last axis.

        Returns:
            Shape (num_targets,).
        """
        sources = np.tile(np.atleast_1d(sent), self.num_sources // np.size(sent))
        return self.into_targets(values * self.by_source(sources))

    def from_plane(self, plane: tuple[Array, Array] | None) -> Array:
        """Return what reaches each target, shape (num_targets,), where all sources send at once.

        Args:
            plane: factors of the rows and of the columns of sources that lie as an image: (i, j) sends the
                product of the two on every channel. None: each source sends 1.
        """
        image = np.ones(1) if plane is None else np.outer(*plane)
        sent = np.repeat(image.astype(np.float64), self.num_sources // image.size)
        reached: Array = self.apply(sent[None])[0]
        return reached

    def largest(self, x: Array) -> Array:
        """Return the largest value that reaches each target, whatever the weights; shapes as for `apply`."""
        raise NotImplementedError(f"{type(self).__name__} takes no maximum")

    @abstractmethod
    def by_source(self, factors: Array) -> Array:
        """Return the factor of each weight's source, in a shape that broadcasts to that of `weights`.

        Args:
            factors: shape (num_sources,); where weights are shared, equal for all that share one.
        """

    @abstractmethod
    def by_target(self, factors: Array) -> Array:
        """Return the factor of each weight's target, shape (num_targets,), as `by_source` does of sources."""

    def scaled(self, source: Array, target: Array) -> Self:
        """Return the map with each weight multiplied by its source's and its target's factor.

        Args:
            source, target: as for `by_source` and `by_target`.
        """
        exact = np.result_type(self.weights, source, target)
        weights = np.multiply(self.weights, self.by_source(source), dtype=exact)
        weights *= self.by_target(target)  # in place: the weights of a layer may be many
        return self.with_weights(weights)

    def with_weights(self, weights: Array) -> Self:
        """Return the same connectivity with other weights of the same shape."""
        assert weights.shape == self.weights.shape
        return replace(self, weights=weights)

    @property
    def weight_bits(self) -> int:
        """Return the bits of the largest |weight|, an integer, with one for the sign.

        A power of two that divides all weights of a target channel takes no bits.
        """
        return _signed_bits(self.used_bits // _granules(self.used_bits))

    @property
    def weight_grid(self) -> WeightGrid:
        """Return "channel" if powers of two of their own for the target channels make `weight_bits` fewer."""
        used = self.used_bits
        common = _granules(used[used > 0]).min(initial=used.max(initial=1))
        return "channel" if self.weight_bits < _signed_bits(used // common) else "layer"

    @cached_property
    def used_bits(self) -> Array:
        """Return for each target channel the bits that any of its |weights| has, shape (channels,), int64."""
        rows = self.weights.reshape(-1, self.weights.shape[-1])
        used = np.zeros(rows.shape[1], np.int64)
        step = max(1, BLOCK // max(rows.shape[1], 1))
        for start in range(0, len(rows), step):
            block = np.abs(rows[start : start + step]).astype(np.int64)
            used |= np.bitwise_or.reduce(block, axis=0)
        return used

    @property
    def num_synapses(self) -> int:
        """Return the number of synapses."""
        return int(self.fan_out().sum())


def _granules(used: Array) -> Array:
    """Return the largest power of two that divides all weights of each channel, 1 where all are zero."""
    granules: Array = np.maximum(used & -used, 1)
    return granules


def _signed_bits(magnitudes: Array) -> int:
    return 1 + int(magnitudes.max(initial=0)).bit_length()


@dataclass(frozen=True, eq=False)
class DenseConnectivity(Connectivity):
    """All to all: weights of shape (num_sources, num_targets)."""

    kind: ClassVar[str] = "Dense"

    @property
    def num_sources(self) -> int:
        return int(self.weights.shape[0])

    @property
    def num_targets(self) -> int:
        return int(self.weights.shape[1])

    def apply(self, x: Array) -> Array:
        result: Array = x @ self.weights.astype(x.dtype)
        return result

    def fan_out(self) -> Array:
        return np.full(self.num_sources, self.num_targets, np.int64)

    def into_targets(self, values: Array) -> Array:
        total: Array = values.sum(axis=0)
        return total

    def by_source(self, factors: Array) -> Array:
        return factors[:, None]

    def by_target(self, factors: Array) -> Array:
        return factors


@dataclass(frozen=True, eq=False)
class OneToOne(Connectivity):
    """Neuron i to neuron i: weights of shape (num_sources,)."""

    kind: ClassVar[str] = "OneToOne"

    @property
    def num_sources(self) -> int:
        return int(self.weights.shape[0])

    num_targets = num_sources

    def apply(self, x: Array) -> Array:
        result: Array = x * self.weights.astype(x.dtype)
        return result

    def fan_out(self) -> Array:
        return np.ones(self.num_sources, np.int64)

    def into_targets(self, values: Array) -> Array:
        return values

    def by_source(self, factors: Array) -> Array:
        return factors

    by_target = by_source


@dataclass(frozen=True, eq=False)
class Convolution(Connectivity):
    """A two-dimensional convolution: weights of shape (kernel height, kernel width, C_in / groups, C_out).

    Attributes:
        in_shape, out_shape: (height, width, channels) of the source and the target.
        strides, dilation: for each spatial axis.
        pads: zeros (before, after) for each spatial axis.
        groups: channels are split into so many groups that do not mix.
    """

    kind: ClassVar[str] = "Convolution"

    in_shape: Shape
    out_shape: Shape
    strides: Shape
    pads: Pads
    dilation: Shape
    groups: int

    @property
    def depthwise(self) -> bool:
        """Tell whether each channel is convolved by itself."""
        return self.groups == self.in_shape[2] > 1

    @property
    def num_sources(self) -> int:
        return prod(self.in_shape)

    @property
    def num_targets(self) -> int:
        return prod(self.out_shape)

    def apply(self, x: Array) -> Array:
        image = x.reshape(-1, *self.in_shape)
        y = convolved(image, self.weights, self.strides, self.dilation, self.pads, self.out_shape[:2])
        return y.reshape(len(x), -1)

    def largest(self, x: Array) -> Array:
        assert self.groups == self.in_shape[2] == self.out_shape[2], "a maximum is over one channel"
        image = x.reshape(-1, *self.in_shape)
        view = windows(image, self.weights.shape[:2], self.strides, self.dilation, self.pads, -np.inf)
        result: Array = view[:, : self.out_shape[0], : self.out_shape[1]].max(axis=(-2, -1))
        return result.reshape(len(x), -1)

    def taps(self, axis: int) -> Array:
        """Return for each source position on a spatial axis how many targets read it."""
        size, count = self.in_shape[axis], self.out_shape[axis]
        starts = np.arange(count) * self.strides[axis] - self.pads[axis][0]
        offsets = np.arange(self.weights.shape[axis]) * self.dilation[axis]
        positions = (starts[:, None] + offsets).ravel()
        inside = positions[(positions >= 0) & (positions < size)]
        return np.bincount(inside, minlength=size)

    def fan_out(self) -> Array:
        per_pixel = np.outer(self.taps(0), self.taps(1)).ravel() * (self.out_shape[2] // self.groups)
        return np.repeat(per_pixel, self.in_shape[2]).astype(np.int64)

    def into_targets(self, values: Array) -> Array:
        return np.tile(values.sum(axis=(0, 1, 2)), prod(self.out_shape[:2]))

    def received(self, values: Array, sent: Array) -> Array:
        by_channel = np.broadcast_to(sent, self.in_shape[2:]).reshape(self.groups, self.weights.shape[2], 1)
        kernel = values.sum(axis=(0, 1)).reshape(self.weights.shape[2], self.groups, -1)
        return np.tile((kernel.swapaxes(0, 1) * by_channel).sum(axis=1).ravel(), prod(self.out_shape[:2]))

    def from_plane(self, plane: tuple[Array, Array] | None) -> Array:
        sent = (np.ones(self.in_shape[0]), np.ones(self.in_shape[1])) if plane is None else plane
        rows, columns = (self._taken(axis, sent[axis]) for axis in (0, 1))
        kernel = self.weights.sum(axis=2)
        reached: Array = np.einsum("ik,jl,klo->ijo", rows, columns, kernel, optimize=True)
        return reached.ravel()

    def _taken(self, axis: int, sent: Array) -> Array:
        """Return what each target position reads by each weight along an axis, shape (positions, kernel)."""
        (before, after), width = self.pads[axis], self.weights.shape[axis]
        padded = np.pad(sent.astype(np.float64), (before, after))
        starts = np.arange(self.out_shape[axis]) * self.strides[axis]
        taken: Array = padded[starts[:, None] + np.arange(width) * self.dilation[axis]]
        return taken

    def by_source(self, factors: Array) -> Array:
        by_channel = factors.reshape(-1, self.groups, self.weights.shape[2])[0]
        return np.repeat(by_channel, self.out_shape[2] // self.groups, axis=0).T

    def by_target(self, factors: Array) -> Array:
        by_channel: Array = factors.reshape(-1, self.out_shape[2])[0]
        return by_channel


@dataclass(frozen=True, eq=False)
class Sparse(Connectivity):
    """Any linear map: the synapses of source i are `indptr[i]` … `indptr[i + 1] − 1`.

    Attributes:
        weights: shape (num_synapses,).
        indptr: shape (num_sources + 1,), int64.
        indices: the target of each synapse, shape (num_synapses,), int32, ascending for each source.
        targets: the number of target neurons.
    """

    kind: ClassVar[str] = "Sparse"

    indptr: Array
    indices: Array
    targets: int

    @property
    def num_sources(self) -> int:
        return len(self.indptr) - 1

    @property
    def num_targets(self) -> int:
        return self.targets

    @cached_property
    def used_bits(self) -> Array:
        used = np.zeros(self.targets, np.int64)
        np.bitwise_or.at(used, self.indices, np.abs(self.weights).astype(np.int64))
        return used

    def apply(self, x: Array) -> Array:
        weights, fan_out = self.weights.astype(np.float64), self.fan_out()
        result = np.empty((len(x), self.targets), x.dtype)
        for sample, values in enumerate(x):
            result[sample] = self.into_targets(weights * np.repeat(values, fan_out))
        return result

    def fan_out(self) -> Array:
        return np.diff(self.indptr).astype(np.int64)

    def into_targets(self, values: Array) -> Array:
        return np.bincount(self.indices, values, self.targets)

    def by_source(self, factors: Array) -> Array:
        return np.repeat(factors, np.diff(self.indptr))

    def by_target(self, factors: Array) -> Array:
        by_synapse: Array = factors[self.indices]
        return by_synapse
