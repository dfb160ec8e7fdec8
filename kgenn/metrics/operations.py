"""Count the operations of one inference by kind: spikes that cross synapses, and updates of neurons.

A spike of value 1 or −1 adds a weight, or subtracts it. Any other spike, and the value of an analog input, is
multiplied with the weight first. A clock-driven machine updates each neuron at every step that it works in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kgenn.ir.graph import Array
from kgenn.ir.network import Connection, Network, Population
from kgenn.ir.spike_values import UNIT, SpikeValues, spike_values

SINGLE_BITS, DOUBLE_BITS = 32, 64  # of sums and state variables


@dataclass(frozen=True)
class SynapticOperations:
    """Operations of one connection.

    Attributes:
        count: in one inference.
        value_bits: of what crosses a synapse; 1 where that is only added or subtracted.
        weight_bits: of a weight, its sign included.
        num_weights: weights that the connection stores.
        num_targets: neurons that add up what arrives.
        accumulator_bits: of such a sum.
    """

    count: float
    value_bits: int
    weight_bits: int
    num_weights: int
    num_targets: int
    accumulator_bits: int

    @property
    def multiplies(self) -> bool:
        """Tell whether an operation is a multiply-accumulate, not an addition."""
        return self.value_bits > 1


@dataclass(frozen=True)
class NeuronUpdates:
    """Updates of the neurons of one population.

    Attributes:
        count: in one inference.
        num_neurons: of the population.
        num_variables: that each neuron keeps.
        variable_bits: of such a variable.
    """

    count: float
    num_neurons: int
    num_variables: int
    variable_bits: int


@dataclass(frozen=True)
class Operations:
    """Operations of one inference, a mean over samples.

    Attributes:
        synaptic: of each connection.
        updates: of each population.
        graded: spikes carry numbers that weights are multiplied with, and do not count one by one.
    """

    synaptic: tuple[SynapticOperations, ...]
    updates: tuple[NeuronUpdates, ...]
    graded: bool = False

    @cached_property
    def additions(self) -> float:
        """Return the additions of unit spikes."""
        return sum(s.count for s in self.synaptic if not s.multiplies)

    @cached_property
    def multiplications(self) -> float:
        """Return the multiply-accumulates of graded spikes and analog inputs."""
        return sum(s.count for s in self.synaptic if s.multiplies)

    @cached_property
    def membrane_updates(self) -> float:
        """Return the updates of neurons."""
        return sum(u.count for u in self.updates)

    def to_dict(self) -> dict[str, float]:
        """Return the sums as JSON-able data."""
        names = ("additions", "multiplications", "membrane_updates")
        return {name: getattr(self, name) for name in names}


def operations_of(network: Network, counts: Mapping[str, Array], num_samples: int) -> Operations:
    """Return the operations of a run.

    Args:
        counts: for each spiking population the spikes of each neuron over all samples, shape (size,).
        num_samples: at least 1.
    """
    values = spike_values(network)
    steps = network.num_timesteps
    wide = {p.name: network.has_double_currents(p) for p in network.populations}
    sums = {p.name: (p.size, DOUBLE_BITS if wide[p.name] else SINGLE_BITS) for p in network.populations}

    def synaptic() -> Iterator[SynapticOperations]:
        for c, fan_out in zip(network.connections, network.fan_outs, strict=True):
            if network.is_analog(c):
                source = network.input_of[c.source]
                times = steps if source.changing else 1
                yield synapses(c, direct_macs(c) * times, source.coding.levels.bit_length(), *sums[c.target])
                yield from pooling(c, times)
            elif c.source in counts:
                count = int(counts[c.source] @ fan_out) / num_samples
                own, counted_once = values[c.source], network.by_name[c.source].neuron.graded
                bits = own.bits if own.graded and counted_once else 1
                yield synapses(c, count, bits, *sums[c.target])

    # a staged population listens for a stage, and sends in the next
    stages = 2 if network.code.staged else 1
    updated = (p for p in network.populations if not network.is_analog_input(p.name))
    graded = any(p.neuron.graded and values[p.name].graded for p in network.spiking)
    return Operations(tuple(synaptic()), tuple(_updates(p, p.size * steps * stages) for p in updated), graded)


def direct_macs(connection: Connection) -> int:
    """Return the multiply-accumulates of the current of an analog input: average pooling adds first."""
    return int(connection.connectivity.fan_out().sum())


def pooling(connection: Connection, times: int) -> Iterator[SynapticOperations]:
    """Yield the additions of the average pooling of an analog input, if it has one."""
    sums = connection.connectivity.num_sources
    if connection.pool is not None and connection.pool.largest > 1:
        added = int(connection.pool.fan_out(np.ones(sums, np.int64)).sum())
        yield SynapticOperations(float(added * times), 1, 0, 0, sums, SINGLE_BITS)


def synapses(
    connection: Connection, count: float, value_bits: int, target: int, bits: int, share: float = 1.0
) -> SynapticOperations:
    """Return so many operations of a connection to `target` neurons, whose sums have so many bits.

    Args:
        share: of the connection's weights that there are.
    """
    size = round(connection.connectivity.weights.size * share)
    return SynapticOperations(count, value_bits, connection.weight_bits, size, target, bits)


def _updates(population: Population, count: float) -> NeuronUpdates:
    neuron = population.neuron
    bits = DOUBLE_BITS if neuron.precision == "double" else SINGLE_BITS
    return NeuronUpdates(count, population.size, max(len(neuron.state), 1), bits)


def values_of_hidden(network: Network) -> SpikeValues:
    """Return the values that the spikes of all populations but the inputs carry."""
    found, every = UNIT, spike_values(network)
    for p in network.hidden:
        found = found.union(every[p.name])
    return found


def values_of_inputs(network: Network) -> SpikeValues | None:
    """Return the values that the spikes of all inputs carry; None where no input sends spikes."""
    found, every = None, spike_values(network)
    for name in network.input_of:
        if name in every:
            found = every[name] if found is None else found.union(every[name])
    return found
