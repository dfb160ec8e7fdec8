"""Recording: what a simulator gives for a batch of samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kgenn.ir.graph import Array
from kgenn.ir.network import Network

# Bytes of a batch's raster, of one byte for each sample, timestep and neuron, and of a batch's frames.
RASTER_BYTES = 1 << 28


def batch_size_for(network: Network, largest: int, trace: bool = True) -> int:
    """Return how many samples can run at once, at most `largest`.

    Args:
        trace: every spike is recorded.
    """
    frame = 4 * network.num_inputs if network.changing else 0
    per_step = frame + (sum(p.size for p in network.spiking) if trace else 0)
    return min(largest, max(1, RASTER_BYTES // max(per_step * network.num_timesteps, 1)))


@dataclass(frozen=True)
class RecordingOptions:
    """What a run shall record besides the number of spikes.

    Attributes:
        trace: every spike.
        train_values: the value of each neuron's spike train.
        curve: scores after every step, not only after the last.
        per_sample: the spike counts of each sample; else a simulator may give those of all samples together.
    """

    trace: bool = False
    train_values: bool = False
    curve: bool = True
    per_sample: bool = True


# Scores after every step, and no spikes but their number.
SCORES = RecordingOptions()


@dataclass(frozen=True, eq=False)
class Recording:
    """What a batch of N samples gives.

    Attributes:
        scores: the readouts after each step, shape (N, T, num_scores), float32; (N, 1, num_scores) without
            the curve.
        spike_counts: for each spiking population the spikes of each neuron, shape (N, size), integers; a
            spike of value n counts as |n|, or as one where the neuron model is graded. Of all samples together,
            shape (1, size), where those of each were not asked for and the simulator adds them up.
        raster: for each spiking population the value of every spike, shape (N, T, size), int8; None unless
            it was asked for.
        train_values: for each spiking population the value of each neuron's spike train, its
            spikes weighted as the network's code says, shape (N, size), int32; None unless it was asked for.
    """

    scores: Array
    spike_counts: Mapping[str, Array]
    raster: Mapping[str, Array] | None = None
    train_values: Mapping[str, Array] | None = None
