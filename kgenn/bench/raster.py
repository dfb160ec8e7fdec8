"""The spikes of one sample, few enough to draw."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgenn.compiled import CompiledNetwork
from kgenn.ir.graph import Array
from kgenn.ir.recording import RASTER_BYTES
from kgenn.ir.samples import SamplesLike

MAX_NEURONS = 200
# Steps from the first that are kept.
MAX_STEPS = 256
# Spikes of a population; where there are more, fewer neurons are kept.
MAX_SPIKES = 1000


def raster_of(compiled: CompiledNetwork, sample: SamplesLike) -> dict[str, Any] | None:
    """Return the spikes of one sample, population by population.

    Args:
        sample: one, as the network takes it; the first of the data set, whose random numbers it gets.

    Returns:
        The first population's name, the number of its neurons that are kept, and its spikes as [t, i] with
        0 ≤ i < neurons; `more` has the same of the other populations, and each its `size`. None where recording
        takes too much memory.
    """
    network = compiled.network
    needed = network.num_timesteps * sum(p.size for p in network.spiking)
    if needed > RASTER_BYTES or not len(network.samples(sample)):
        return None
    (recording,) = compiled.trace(sample, 1)
    assert recording.raster is not None, "a trace holds a raster"
    rows = [_population(name, raster[0]) for name, raster in recording.raster.items()]
    return {**rows[0], "more": rows[1:]} if rows else None


def _population(name: str, raster: Array) -> dict[str, Any]:
    """Return a population's entry; `raster` has shape (T, size)."""
    size = raster.shape[1]
    spikes = raster[:MAX_STEPS] != 0
    neurons = min(size, MAX_NEURONS)
    while True:
        kept = np.arange(neurons) * size // neurons  # evenly over the population
        events = np.argwhere(spikes[:, kept])
        if len(events) <= MAX_SPIKES or neurons == 1:
            break
        neurons //= 2
    return {"population": name, "size": size, "neurons": neurons, "spikes": events.tolist()}
