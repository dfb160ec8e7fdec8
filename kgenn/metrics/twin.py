"""The quantised twin of a spiking network: the ANN that a fair comparison is with.

A spike train of T steps tells some number of levels of an activation apart. An ANN whose activations have as many
bits, and that skips zeros as an event-driven machine does, needs no timesteps for that. The twin has the weights
of the network and its scales λ; its activation is::

    a = clip(round(x / (λ · r) · (2^b − 1)), 0, 2^b − 1)        b = ⌈log₂(levels · n · r + 1)⌉

with `levels` what a spike train of full scale stands for, r the largest rate of a neuron, 1, or γ and more of
bursts, and n the most neurons that stand for one value. The twin has one neuron for each value. Sums are of
integers, exact in any order. Inputs are those of `kgenn.metrics.twin_input`.

Source: Yan, Bai & Wong 2024, arXiv:2409.08290, for the comparison.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np

from kgenn.ir.graph import Array
from kgenn.ir.network import Network, Population
from kgenn.metrics.energy import Energy, energy_of
from kgenn.metrics.operations import (
    SINGLE_BITS,
    NeuronUpdates,
    Operations,
    SynapticOperations,
    direct_macs,
    pooling,
    synapses,
)
from kgenn.metrics.twin_input import input_bits, twin_inputs


@dataclass(frozen=True)
class Twin:
    """What the quantised twin costs and gives, on the first samples of a run.

    Attributes:
        bits: of an activation.
        num_samples: the first so many of the run.
        operations: of one inference.
        energy: of these.
        values: of each output with labels, by its name, the metric of the twin.
    """

    bits: int
    num_samples: int
    operations: Operations
    energy: Energy
    values: Mapping[str, float]

    @property
    def macs(self) -> float:
        """Return the multiply-accumulates of one inference, those with a zero activation left out."""
        return self.operations.multiplications

    def to_dict(self) -> dict[str, object]:
        """Return the figures as JSON-able data; the energy stands beside the network's."""
        return {
            "bits": self.bits,
            "num_samples": self.num_samples,
            "macs": self.macs,
            "values": dict(self.values),
        }


def reach(network: Network) -> float:
    """Return the largest rate that any neuron can reach, at least 1; those without a limit count as 1."""
    return max((p.largest_rate or 1.0 for p in network.hidden), default=1.0)


def twin_bits(network: Network) -> int:
    """Return the bits that tell the levels of a spike train apart, 0 among them."""
    copies = max((p.copies for p in network.hidden), default=1)
    return ceil(network.levels * copies * reach(network)).bit_length()


def twin_unit(network: Network) -> float:
    """Return the activation of the twin that stands for λ."""
    return float((1 << twin_bits(network)) - 1) / reach(network)


def twin_activations(network: Network, drive: Array) -> dict[str, Array]:
    """Return the activations of the twin, float64, shape (N, size) for each population but the analog inputs.

    They are integers. Those of a readout are not quantised: they are in units of λ, times `twin_unit`.

    Args:
        drive: of `Network.drive`. Of an input that changes with time, the twin takes the mean.
    """
    one, largest = twin_unit(network), 2 ** twin_bits(network) - 1
    given = twin_inputs(network, drive)
    inputs = {name: own.values for name, own in given.items()}
    unit = {name: one / own.levels for name, own in given.items()}
    found = {name: own.values for name, own in given.items() if not network.is_analog_input(name)}
    steady = 1.0 if network.code.steady else 1 / network.levels
    for p in network.populations[len(network.inputs) :]:
        if p.maximum:
            (c,) = network.incoming[p.name]
            found[p.name] = c.connectivity.largest(
                np.floor(inputs[c.source] * unit[c.source] + 0.5) if c.source in inputs else found[c.source]
            )
            continue
        total = np.zeros((len(drive), p.size))
        if p.bias is not None:
            total += p.bias * (steady * one)
        for c in network.incoming[p.name]:
            if c.source in inputs:
                total += c.apply(inputs[c.source]) * (unit[c.source] * (steady if network.is_analog(c) else 1.0))
            else:
                total += c.apply(found[c.source])
        found[p.name] = _activation(p, total / p.unit, one, largest)
    return found


def _activation(p: Population, linear: Array, one: float, largest: int) -> Array:
    """Return the activations of what a population gets, in units in which `one` stands for λ."""
    if p.correction is not None:
        linear = linear - np.broadcast_to(p.correction, p.shape).ravel() * one
    if not p.neuron.threshold:
        return linear
    highest = np.full(p.size, float(largest))
    if p.cap is not None:
        highest = np.minimum(highest, np.floor(np.broadcast_to(p.cap, p.shape).ravel() * one))
    quantised: Array = np.clip(np.floor(linear + 0.5), 0.0, highest)
    return quantised


class TwinTally:
    """Count the non-zero activations of the twin batch by batch."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.num_samples = 0
        # of each connection but those of analog inputs, how often each value that meets its weights is not zero
        self.counts = {
            index: np.zeros(c.connectivity.num_sources, np.int64)
            for index, c in enumerate(network.connections)
            if not network.is_analog(c)
        }
        # of each pool before weights, how often each value that it adds up is not zero
        self.pooled = {
            index: np.zeros(c.num_sources, np.int64)
            for index, c in enumerate(network.connections)
            if index in self.counts and c.pool is not None
        }

    def add(self, activations: Mapping[str, Array]) -> None:
        """Add one batch of `twin_activations`."""
        self.num_samples += len(next(iter(activations.values())))
        for index, counts in self.counts.items():
            c = self.network.connections[index]
            values = activations[c.source]
            if c.pool is not None:
                self.pooled[index] += np.count_nonzero(values, axis=0)
                values = c.pool.apply(values)
            counts += np.count_nonzero(values, axis=0)

    def result(self, values: Mapping[str, float]) -> Twin:
        """Return the twin's figures; `values` are its metrics, by the names of outputs."""
        bits, operations = twin_bits(self.network), self._operations()
        return Twin(bits, self.num_samples, operations, energy_of(operations), dict(values))

    def _operations(self) -> Operations:
        """Return the operations: each value that is not zero times the weights that it meets, and poolings.

        An analog input is met whole and once, as a direct input is; each neuron has one update. What goes to a
        maximum is compared, which takes an addition, and so does each value of an average pooling.
        """
        network = self.network
        neurons = (p for p in network.populations if p.name not in network.input_of)
        sizes = (p.size // p.copies for p in neurons)
        updates = tuple(NeuronUpdates(size, size, 1, SINGLE_BITS) for size in sizes)
        return Operations(tuple(self._synaptic()), updates)

    def _synaptic(self) -> Iterator[SynapticOperations]:
        network, share = self.network, 1 / max(self.num_samples, 1)
        for index, c in enumerate(network.connections):
            source, target = network.by_name[c.source], network.by_name[c.target]
            # a maximum has the copies of its source, each for itself
            once = 1 / (source.copies if target.maximum else source.copies * target.copies)
            size = target.size // target.copies
            if index not in self.counts:
                bits = input_bits(network, c.source)
                yield synapses(c, direct_macs(c) * once, bits, size, SINGLE_BITS, once)
                yield from pooling(c, 1)
                continue
            count = int(self.counts[index] @ c.connectivity.fan_out()) * share * once
            own = input_bits(network, c.source) if c.source in network.input_of else max(twin_bits(network), 2)
            bits = 1 if target.maximum else own
            yield synapses(c, count, bits, size, SINGLE_BITS, once)
            if c.pool is not None:
                added = int(self.pooled[index] @ c.pool.fan_out(np.ones(c.connectivity.num_sources, np.int64)))
                sums = c.connectivity.num_sources // source.copies
                yield SynapticOperations(added * share / source.copies, 1, 0, 0, sums, SINGLE_BITS)
