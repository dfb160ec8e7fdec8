"""Measure a network in the terms of the package neurobench, without it.

| figure | is |
|---|---|
| footprint | bytes of weights, biases, parameters and state, 4 or 8 each |
| parameter_count | weights and biases that are stored |
| connection_sparsity | share of the weights that are zero |
| activation_sparsity | share of (neuron, step, sample) without a spike, of all populations but the inputs |
| Dense | synapses times steps, whatever crosses them |
| Effective_ACs | weights that are not zero and that a spike of value 1 or −1 met |
| Effective_MACs | the same of other values: graded spikes, sums of an average pooling, analog inputs |
| membrane_updates | (neuron, step) in which a state variable changed; the first step counts whole |

All but the first four are means over samples. The package tells additions from multiply-accumulates by the values
of each batch, so that its figures depend on the batches; here the kind of a connection decides. An analog input is
met once for each sample, as it is computed.

Source: Yik et al. 2025, doi:10.1038/s41467-025-56739-4, and the package neurobench 2.3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kgenn.backends.population_run import PopulationRun
from kgenn.backends.reference import RecordingTally, ReferenceSimulator
from kgenn.ir.graph import Array
from kgenn.ir.network import Connection, Network, Population
from kgenn.ir.recording import RecordingOptions
from kgenn.ir.spike_values import spike_values


class CountedRun(PopulationRun):
    """The run of a population that counts the steps in which the state of a neuron changes."""

    updates = 0

    def listen(self, i_syn: Array, timestep: int) -> None:
        before = self.state
        super().listen(i_syn, timestep)
        self._count(before, first=timestep == 0)

    def step(self, synaptic: Array | None, timestep: int) -> Array:
        before = self.state
        spikes = super().step(synaptic, timestep)
        self._count(before, first=timestep == 0 and not self.network.code.staged)
        return spikes

    def _count(self, before: dict[str, Array], first: bool) -> None:
        if first:
            self.updates += self.shape[0] * self.shape[1]
            return
        changed = np.zeros(self.shape, bool)
        for name, old in before.items():
            changed |= old != self.state[name]
        self.updates += int(np.count_nonzero(changed))


class NeuroBenchTally:
    """Run samples on the NumPy reference, which gives the spikes of every target, and add up what they cost."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.num_samples = self.num_spikes = self.num_updates = 0
        self.simulator = ReferenceSimulator(network)
        # of each connection, how often each value that meets its weights was not zero
        self.met = [np.zeros(c.connectivity.num_sources, np.int64) for c in network.connections]

    def add(self, first_sample: int, drive: Array) -> None:
        """Run one batch of drives, whose first sample has that index in the data."""
        network = self.network
        runs = [CountedRun(network, p, drive, first_sample) for p in network.populations]
        tally = RecordingTally(network, len(drive), RecordingOptions(trace=True))
        run = self.simulator.run_stages if network.code.staged else self.simulator.run_steps
        run(list(runs), tally)
        raster = tally.raster
        assert raster is not None
        self.num_samples += len(drive)
        self.num_updates += sum(r.updates for r in runs if not network.is_analog_input(r.population.name))
        self.num_spikes += sum(int(np.count_nonzero(raster[p.name])) for p in network.hidden)
        for met, c in zip(self.met, network.connections, strict=True):
            met += self._met(c, raster.get(c.source), drive)

    def figures(self) -> dict[str, Any]:
        """Return the figures by their names in the package."""
        network, samples = self.network, max(self.num_samples, 1)
        slots = sum(p.size for p in network.hidden) * network.num_timesteps * samples
        return {
            "footprint": footprint(network),
            "parameter_count": parameter_count(network),
            "connection_sparsity": connection_sparsity(network),
            "activation_sparsity": 1 - self.num_spikes / slots if slots else 0.0,
            "synaptic_operations": self._synaptic_operations(),
            "membrane_updates": self.num_updates / samples,
        }

    def _met(self, connection: Connection, spikes: Array | None, drive: Array) -> Array:
        """Return how often each value before the weights was not zero, in all steps and samples of a batch.

        Args:
            spikes: of the source, shape (N, T, size); None of an analog input.
        """
        if spikes is None:
            spikes = drive[..., self.network.drive_columns[connection.source]]
        values = spikes.reshape(-1, spikes.shape[-1])
        if connection.pool is not None:
            values = connection.pool.apply(values.astype(np.float32))
        found: Array = np.count_nonzero(values, axis=0)
        return found

    def _synaptic_operations(self) -> dict[str, float]:
        network, samples = self.network, max(self.num_samples, 1)
        values = spike_values(network)
        found = {"Effective_MACs": 0.0, "Effective_ACs": 0.0, "Dense": 0.0}
        for met, c in zip(self.met, network.connections, strict=True):
            pooled = c.pool is not None and c.pool.largest > 1
            unit = c.source in values and not values[c.source].graded and not pooled
            present = c.connectivity.with_weights((c.connectivity.weights != 0).astype(np.float64))
            reached = present.apply(met[None].astype(np.float64)).sum()
            found["Effective_ACs" if unit else "Effective_MACs"] += float(reached) / samples
            held = network.is_analog(c) and not network.input_of[c.source].changing
            found["Dense"] += float(c.connectivity.num_synapses) * (1 if held else network.num_timesteps)
        return found


def footprint(network: Network) -> int:
    """Return the bytes of weights, biases, parameters and state."""
    total = sum(c.connectivity.weights.size * 4 for c in network.connections)
    for p in network.populations:
        word = np.dtype(p.neuron.real).itemsize
        biases = 0 if p.bias is None else len(_stored(p))
        total += word * (biases + len(p.neuron.params) + p.size * len(p.neuron.state))
    return int(total)


def parameter_count(network: Network) -> int:
    """Return the weights and biases; a bias that all neurons of a channel share counts once."""
    biases = sum(len(_stored(p)) for p in network.populations if p.bias is not None)
    return int(sum(c.connectivity.weights.size for c in network.connections)) + biases


def connection_sparsity(network: Network) -> float:
    """Return the share of the weights that are zero, rounded to 4 digits as the package does."""
    count = sum(c.connectivity.weights.size for c in network.connections)
    zeros = sum(int(np.count_nonzero(c.connectivity.weights == 0)) for c in network.connections)
    return round(zeros / count, 4) if count else 0.0


def _stored(p: Population) -> Array:
    """Return the biases of a population, one for each channel where its neurons share them."""
    assert p.bias is not None
    rows = p.bias.reshape(-1, p.shape[-1])
    shared: Array = rows[0] if np.array_equal(rows, np.broadcast_to(rows[0], rows.shape)) else p.bias
    return shared
