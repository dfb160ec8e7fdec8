"""The neurons of fission: integrate-and-fire neurons whose thresholds and potentials are fitted to T steps.

What the neurons of a channel send of the currents of all steps follows from three numbers: the threshold λ, the
potential that they start from, and a shift of the bias. Of a small set of thresholds and potentials those are
taken that minimise, with s the spikes and a the ReLU's value in the model,

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

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from kgenn.conversion.powers_of_two import powers_of_two
from kgenn.conversion.spike_trains import Neurons, candidates, some_values
from kgenn.ir.graph import Array, Node

# Candidates for λ, as shares of the scale of least squared error of the activations alone.
SHARES = (0.7, 0.85, 1.0, 1.2, 1.5)
# The potential at the start that rounds, and other candidates for it, in thresholds of a group of copies.
ROUNDING, OTHERS = 0.5, (1.0, 0.0, -0.5, -1.0, -1.5)
# Each with the share of what it withholds that the shift begins with.
BEGINNINGS = ((ROUNDING, 0.0), *product(OTHERS, (0.0, 1.0)))
# Times that a shift is corrected for each candidate.
ROUNDS = 2
# All candidates are tried on so many values of a channel, and the best of them on more.
SCREENED, FINALISTS, MAX_VALUES = 1024, 6, 8192


@dataclass(frozen=True, eq=False)
class Firing(Neurons):
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

    def times(self, factor: Array) -> Firing:
        """Return the neurons of values that many times as large."""
        return replace(self, scale=self.scale * factor, shift=self.shift * factor)

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


def fit(node: Node, currents: Array, values: Array, num_timesteps: int, scale: Array, copies: int) -> Firing:
    """Return the neurons of a ReLU whose spikes say what its value is in the model, in the end and until then.

    Args:
        currents: shape (T, N, ..., channels), or (1, N, ..., channels).
        values: of the model, shape (N, ..., channels).
        scale: λ of least squared error, shape (channels,).
        copies: n.
    """
    unit = powers_of_two(scale)
    few, many = (some_values(currents, values, limit, unit) for limit in (SCREENED, MAX_VALUES))
    begun = (firing.times(1 / unit) for firing in beginnings(node, scale, copies, num_timesteps))
    tried = [settled(firing, *few, num_timesteps) for firing in begun]
    ranks = np.argsort([misfit for _, misfit in tried], axis=0, kind="stable")
    best, least = tried[0][0], np.full(len(scale), np.inf)
    for places in ranks[:FINALISTS]:
        finalist = best
        for place in np.unique(places):
            finalist = tried[place][0].where(places == place, finalist)
        firing, misfit = settled(finalist, *many, num_timesteps)
        best = firing.where(misfit < least, best)
        least = np.minimum(least, misfit)
    return best.times(unit)


def beginnings(node: Node, scale: Array, copies: int, num_timesteps: int) -> Iterator[Firing]:
    """Yield all candidates, with the shifts that they begin with."""
    for threshold, (potential, share) in product(candidates(node, scale, SHARES), BEGINNINGS):
        withheld = (ROUNDING - potential) * threshold / (copies * num_timesteps)
        yield Firing(threshold, copies, np.full(len(scale), potential), share * withheld)


def settled(firing: Firing, currents: Array, values: Array, num_timesteps: int) -> tuple[Firing, Array]:
    """Return the neurons with their shifts corrected, and their misfit, shape (channels,)."""
    error, misfit = firing.errors(currents, values, num_timesteps)
    for _ in range(ROUNDS):
        firing = replace(firing, shift=firing.shift + error)
        error, misfit = firing.errors(currents, values, num_timesteps)
    return firing, misfit
