"""The groups of a differential code, fitted to few steps: the scale of each channel, and a shift of its bias.

A group sends one of its sizes 1, 2, 4 … quanta in a step. Later steps correct the first ones, so that after some
steps only the quanta count. With few steps the sizes themselves round, and the largest one clips. Then it matters
which values the sizes hit: of a few scales λ and shifts, those are taken whose spikes of T steps sum up to the
ReLU's value in the model with the least squared error, on the currents that come from groups fitted before.

Source: the correction layer by layer, Li et al. 2021, arXiv:2106.06984.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from kgenn.conversion.powers_of_two import powers_of_two
from kgenn.conversion.scales import cap_of
from kgenn.conversion.spike_trains import Neurons, candidates, some_values
from kgenn.ir.graph import Array, Node

# Steps for which a fit pays: corrections have done its work where there are more.
MAX_FITTED = 4
# Samples that it looks at, and values of a channel.
MAX_SAMPLES, MAX_VALUES = 512, 8192
# Candidates for λ, as shares of the scale of least squared error: the sizes double, so one octave has them all; a
# larger λ clips less.
SHARES = (0.7, 0.85, 1.0, 1.2, 1.4, 1.7, 2.0)
# Times that a shift is corrected for each candidate.
ROUNDS = 3


@dataclass(frozen=True, eq=False)
class GradedGroup(Neurons):
    """How groups send that stand for the values of a ReLU.

    Attributes:
        scale: λ of each channel, in units of activation, shape (channels,).
        quanta: L, the quanta in λ.
        members: n; sizes are 1 to 2**(n - 1) quanta.
        clipped: values end at λ.
        shift: what is added to the current of the first step, in units of activation, shape (channels,).
    """

    scale: Array
    quanta: int
    members: int
    clipped: bool
    shift: Array

    def times(self, factor: Array) -> GradedGroup:
        """Return the groups of values that many times as large."""
        return replace(self, scale=self.scale * factor, shift=self.shift * factor)

    def steps(self, currents: Array, num_timesteps: int) -> Iterator[Array]:
        """Yield what is sent in each step, as `kgenn.conversion.neurons.differential` does.

        Args:
            currents: shape (steps, ..., channels); nothing comes after them.
        """
        quantum = (self.scale / self.quanta).astype(np.float32)
        most = self.quanta if self.clipped else np.inf
        v = np.broadcast_to((self.shift / quantum).astype(np.float32), currents.shape[1:]).copy()
        owed, said = np.empty_like(v), np.zeros_like(v)
        for t in range(num_timesteps):
            if t < len(currents):
                v += currents[t] / quantum
            np.subtract(np.clip(v, 0, most, out=owed), said, out=owed)
            correction = self._sizes(owed)
            said += correction
            correction *= quantum
            yield correction

    def _sizes(self, owed: Array) -> Array:
        """Return the signed size that is sent for what is owed, both in quanta: 0 below half a quantum."""
        excess = np.maximum(owed, -0.75 * owed)
        _, exponent = np.frexp(excess / np.float32(1.5))
        sizes: Array = np.ldexp(np.sign(owed), np.clip(exponent, 0, self.members - 1))
        sizes[np.abs(owed) < 0.5] = 0
        return sizes


def fit(
    node: Node, currents: Array, values: Array, num_timesteps: int, first: GradedGroup, channelwise: bool
) -> GradedGroup:
    """Return the groups of a ReLU whose spikes say what its value is in the model.

    Args:
        currents: shape (steps, N, ..., channels).
        values: of the model, shape (N, ..., channels).
        first: without a shift, of the scales of least squared error.
        channelwise: each channel may have another share of its scale.
    """
    unit = powers_of_two(first.scale)
    seen, target = some_values(currents, values, MAX_VALUES, unit)
    best, least = first.times(1 / unit), np.full(len(first.scale), np.inf)
    for scale in candidates(node, first.scale, SHARES):
        group = replace(best, scale=scale / unit, shift=np.zeros_like(first.shift))
        for _ in range(ROUNDS + 1):
            error = target.copy()
            for correction in group.steps(seen, num_timesteps):
                error -= correction
            squared = np.square(error).mean(axis=0, dtype=np.float64)
            if not channelwise:
                squared = np.full_like(squared, squared.mean())
            best = group.where(squared < least, best)
            least = np.minimum(least, squared)
            group = replace(group, shift=group.shift + error.mean(axis=0, dtype=np.float64))
    return best.times(unit)


def group_of(node: Node, scale: Array, channels: int, quanta: int, members: int) -> GradedGroup:
    """Return the groups of a ReLU, without a shift.

    Args:
        scale: λ, shape (channels,), or () for one of all channels.
    """
    scales = np.broadcast_to(scale, (channels,))
    return GradedGroup(scales, quanta, members, cap_of(node) is not None, np.zeros(channels))
