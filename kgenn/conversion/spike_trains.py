"""Fit integrate-and-fire neurons to few timesteps, layer by layer, to the currents that really come.

The lowered graph is computed twice at once on the calibration set: as it is, and with the spike trains of T steps
in place of each ReLU's value. The input is the current that it is in the model, in every step. At each ReLU the
currents of all steps are known then, and what its neurons send of them follows from three numbers for each
channel: the threshold λ, the potential that they start from, and a shift of the bias. Of a small set of thresholds
and potentials those are taken that minimise, with s the spikes and a the ReLU's value in the model,

    mean((1/T Σ_t s(t) − a)²) + mean_t((1/T Σ_τ≤t s(τ) − t/T·a)²)

The first term is the error of what is said in the end. The second is that of what is said until each step: a layer
that speaks late sends the layers behind it currents that begin with those of other sources alone, and what these
make a neuron send it cannot take back. With the first term alone the errors of deep networks add up: no number of
steps made a MobileNet right.

A potential of half a threshold rounds. A lower one holds back what only the first steps say, a higher one speaks
early. For each candidate the shift begins twice, with nothing and with what the potential is lower, spread over
the steps, and grows by the mean error a few times. From nothing it would stay too small where most values are
zero, which need no shift.

Source: initial potentials, Bu et al. 2022, doi:10.1609/aaai.v36i1.19874; the correction layer by layer, Li et al.
2021, arXiv:2106.06984.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from kgenn.conversion.activations import BATCH, known_scale
from kgenn.conversion.scales import cap_of
from kgenn.conversion.twins import PairedValues, batched, walked
from kgenn.ir.graph import Array, Graph, Input, Node
from kgenn.ir.samples import Samples
from kgenn.layers.activation import ReLU
from kgenn.layers.pooling import MaxPool

# Arrays of each value that are kept beside those of the steps: the model's, and what is computed at a time.
KEPT = 2
# Candidates for λ, as shares of the scale of least squared error of the activations alone.
SHARES = (0.7, 0.85, 1.0, 1.2, 1.5)
# The potential at the start that rounds, and other candidates for it, in thresholds of a group of copies.
ROUNDING, OTHERS = 0.5, (1.0, 0.0, -0.5, -1.0, -1.5)
# Each with the share of what it withholds that the shift begins with.
BEGINNINGS = ((ROUNDING, 0.0), *product(OTHERS, (0.0, 1.0)))
# Times that a shift is corrected for each candidate.
ROUNDS = 2
# Values of a channel that a fit looks at: more change it by little.
MAX_VALUES = 8192


@dataclass(frozen=True, eq=False)
class Firing:
    """How the neurons fire that stand for the values of a ReLU.

    Attributes:
        scale: λ of each channel, the threshold of a neuron, in units of activation, shape (channels,).
        copies: n, the neurons for each value; together they are one of threshold λ/n that may fire n times a step.
        potential: of that one at the start, in its thresholds, shape (channels,).
        shift: what is added to the current of each step, in units of activation, shape (channels,).
    """

    scale: Array
    copies: int
    potential: Array
    shift: Array

    def steps(self, currents: Array, num_timesteps: int) -> Iterator[Array]:
        """Yield what the spikes of each step stand for, shape (..., channels), float32, in one array.

        Args:
            currents: in units of activation, shape (T, ..., channels); or (1, ..., channels) for equal steps.
        """
        unit = (self.scale / self.copies).astype(np.float32)
        shift = self.shift.astype(np.float32)
        v = np.broadcast_to(unit * self.potential.astype(np.float32), currents.shape[1:]).copy()
        spikes = np.empty_like(v)
        for t in range(num_timesteps):
            v += currents[t if len(currents) > 1 else 0]
            v += shift
            np.floor(np.divide(v, unit, out=spikes), out=spikes)
            np.clip(spikes, 0, self.copies, out=spikes)
            spikes *= unit
            v -= spikes
            yield spikes

    def sent(self, currents: Array, num_timesteps: int) -> Array:
        """Return what the spikes of each step stand for: shape (T, ..., channels), float32; currents as there."""
        spikes = np.empty((num_timesteps, *currents.shape[1:]), np.float32)
        for t, now in enumerate(self.steps(currents, num_timesteps)):
            spikes[t] = now
        return spikes

    def errors(self, currents: Array, values: Array, num_timesteps: int) -> tuple[Array, Array]:
        """Return for each channel the mean error of what is said, and the misfit of the spikes; float64.

        Args:
            currents: as of `steps`, shape (T, N, channels).
            values: that should be said, shape (N, channels).
        """
        share = values * np.float32(1 / num_timesteps)
        lag, squares = np.zeros_like(share), np.zeros_like(share)
        for spikes in self.steps(currents, num_timesteps):
            spikes *= np.float32(1 / num_timesteps)
            lag += np.subtract(share, spikes, out=spikes)
            squares += np.square(lag, out=spikes)
        squares *= np.float32(1 / num_timesteps)
        squares += np.square(lag)
        return lag.mean(axis=0, dtype=np.float64), squares.mean(axis=0, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Fitted:
    """What was fitted to a graph.

    Attributes:
        firing: of each ReLU.
        shifts: of each output, in units of its value, shape (channels,).
    """

    firing: Mapping[str, Firing]
    shifts: Mapping[str, Array]


def fitted(
    graph: Graph, samples: Samples, num_timesteps: int, scales: Mapping[str, Array], copies: Mapping[str, int]
) -> Fitted:
    """Fit the neurons of each ReLU.

    Args:
        graph: lowered.
        num_timesteps: T.
        scales: λ of least squared error for each ReLU, shape (channels,).
        copies: n for each ReLU.
    """
    size, given = graph.batch_size(BATCH), graph.samples(samples)
    firing: dict[str, Firing] = {}
    shifts: dict[str, Array] = {}

    def compute(node: Node, inputs: list[PairedValues]) -> PairedValues:
        if isinstance(node.layer, Input):
            x = batched(node.layer.forward, size, given.arrays[node.name])
            return PairedValues(x, x[np.newaxis])
        model = batched(node.layer.forward, size, *(twin.model for twin in inputs))
        if isinstance(node.layer, ReLU):
            currents = inputs[0].network
            found = fit(node, currents, model, num_timesteps, scales[node.name], copies[node.name])
            firing[node.name] = found
            return PairedValues(model, found.sent(currents, num_timesteps))
        if isinstance(node.layer, MaxPool):
            return PairedValues(model, pooled(node.layer, inputs[0].network, size))
        return PairedValues(model, linear(node, [twin.network for twin in inputs], size))

    for node, twin in walked(graph, compute):
        if node.name in graph.ends and node.name not in firing:
            said = twin.network.mean(axis=0, dtype=np.float64)
            shifts[node.name] = np.mean(twin.model - said, axis=tuple(range(twin.model.ndim - 1)))
    return Fitted(firing, shifts)


def linear(node: Node, trains: list[Array], size: int) -> Array:
    """Return the value of a linear node in each step: of one step where no input changes."""
    steps = max(map(len, trains))
    values = [
        batched(node.layer.forward, size, *(train[t if len(train) > 1 else 0] for train in trains))
        for t in range(steps)
    ]
    stacked: Array = np.stack(values)
    return stacked


def pooled(layer: MaxPool, trains: Array, size: int) -> Array:
    """Return what a max pooling sends in each step: the increase of the largest sum of each window."""
    sums = np.cumsum(trains, axis=0, dtype=np.float32)
    largest = np.stack([batched(layer.forward, size, each) for each in sums])
    increases: Array = np.diff(largest, axis=0, prepend=np.zeros_like(largest[:1]))
    return increases


def fit(node: Node, currents: Array, values: Array, num_timesteps: int, scale: Array, copies: int) -> Firing:
    """Return the neurons of a ReLU whose spikes say what its value is in the model, in the end and until then.

    Args:
        currents: shape (T, N, ..., channels), or (1, N, ..., channels).
        values: of the model, shape (N, ..., channels).
        scale: λ of least squared error, shape (channels,).
        copies: n.
    """
    channels = values.shape[-1]
    seen, target = some_values(currents.reshape(len(currents), -1, channels), values.reshape(-1, channels))
    best = Firing(scale, copies, np.full(channels, ROUNDING), np.zeros(channels))
    least = np.full(channels, np.inf)
    for candidate, (potential, share) in product(_candidates(node, scale), BEGINNINGS):
        withheld = (ROUNDING - potential) * candidate / (copies * num_timesteps)
        firing = Firing(candidate, copies, np.full(channels, potential), share * withheld)
        error, misfit = firing.errors(seen, target, num_timesteps)
        for _ in range(ROUNDS):
            firing = replace(firing, shift=firing.shift + error)
            error, misfit = firing.errors(seen, target, num_timesteps)
        best = chosen(misfit < least, firing, best)
        least = np.minimum(least, misfit)
    return best


def chosen(first: Array, one: Firing, other: Firing) -> Firing:
    """Return neurons that are of the first kind in some channels, and of the second in the others."""

    def of(name: str) -> Array:
        array: Array = np.where(first, getattr(one, name), getattr(other, name))
        return array

    return Firing(of("scale"), one.copies, of("potential"), of("shift"))


def some_values(currents: Array, values: Array) -> tuple[Array, Array]:
    """Return at most `MAX_VALUES` values of each channel with their currents, the same for the same number.

    Args:
        currents: shape (T, values, channels).
        values: shape (values, channels).
    """
    count = len(values)
    if count <= MAX_VALUES:
        return currents, values
    rows = np.sort(np.random.default_rng(count).choice(count, MAX_VALUES, replace=False))
    return currents[:, rows], values[rows]


def _candidates(node: Node, scale: Array) -> list[Array]:
    """Return the thresholds that are tried, up to the cap of the ReLU; the known one of a piece."""
    if known_scale(node) is not None:
        return [scale]
    cap = cap_of(node)
    return [np.minimum(share * scale, np.inf if cap is None else cap) for share in SHARES]
