"""What spikes cost: means of one inference, from the spikes of each neuron over all samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kgenn.ir.graph import Array
from kgenn.ir.network import Network, Population


def spike_counts(population: Population, raster: Array) -> Array:
    """Return the spikes of each neuron, shape (size,), int64, as `Recording.spike_counts` has them.

    Args:
        raster: the value of every spike of one sample, shape (steps, size), int8.
    """
    counts: Array = (raster != 0 if population.neuron.graded else np.abs(raster)).sum(axis=0, dtype=np.int64)
    return counts


def spikes_per_neuron(network: Network, counts: Mapping[str, Array], num_samples: int) -> float:
    """Return the mean spikes of a neuron; the encoder's do not count.

    Args:
        counts: for each spiking population the spikes of each neuron, shape (size,), integers.
        num_samples: at least 1.
    """
    return _spikes(network, counts) * (1 / num_samples) / max(sum(p.size for p in network.hidden), 1)


def spikes_per_value(network: Network, counts: Mapping[str, Array], num_samples: int) -> float:
    """Return the mean spikes of all neurons that stand for one value of the model. Arguments as above."""
    return _spikes(network, counts) * (1 / num_samples) / max(sum(p.size // p.copies for p in network.hidden), 1)


def _spikes(network: Network, counts: Mapping[str, Array]) -> int:
    """Return the spikes of all populations but the encoders."""
    return sum(int(counts[p.name].sum()) for p in network.hidden)


def synaptic_operations(network: Network, counts: Mapping[str, Array], num_samples: int) -> float:
    """Return the mean additions: each spike times the synapses it crosses. Arguments as above."""
    return sum(int(count @ network.fan_out[name]) for name, count in counts.items()) * (1 / num_samples)
