"""Compare what spikes stand for with the ANN's activations, layer by layer: which layer loses?

The network itself says what its rates should become: with every spike train replaced by its rate and no
limit to a rate, the connections and biases compute the ANN's activations, in units of λ. The rate of a spike
train is its value as a share of the full scale; see `kgenn.ir.spike_code`. What corrects a bias for the code's
rounding is no part of the ANN.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from kgenn.ir.graph import Array
from kgenn.ir.network import Network, Population
from kgenn.ir.scores import Head, heads_of
from kgenn.tasks.base import Task
from kgenn.tasks.goal import Goal
from kgenn.tasks.metric import MetricTally
from kgenn.tasks.predict import of_linear

# Samples whose rates are computed at once: a few arrays of float64 of all neurons are held for each.
PART = 8


@dataclass(frozen=True)
class LayerError:
    """How far a population's rates are from the activations they stand for; means over neurons and samples.

    Attributes:
        population: its name.
        activation: mean ANN activation, in units of λ.
        rate: mean value of the spike trains, as a share of the full scale.
        error: mean |rate − activation|.
        relative: ‖rate − activation‖ / ‖activation‖, Euclidean.
        own: mean |rate − what the rates that come in would give|, the part of the error made in this layer.
        saturated: the share of activations above the largest rate that the neurons can reach.
    """

    population: str
    activation: float
    rate: float
    error: float
    relative: float
    own: float
    saturated: float


def input_rates(network: Network, drive: Array) -> dict[str, Array]:
    """Return the rates of the inputs, what they drive in real units: each of shape (N, size), float64.

    The rate of an input that changes with time is its mean.
    """
    columns = network.drive_columns
    mean = drive.astype(np.float64).mean(axis=1) if network.changing else drive.astype(np.float64)
    return {i.name: mean[:, columns[i.name]] / i.coding.levels for i in network.inputs}


def ideal_rates(network: Network, drive: Array, measured: Mapping[str, Array] | None = None) -> dict[str, Array]:
    """Return the rate that each population should have, shape (N, size), float64, with no upper limit.

    Args:
        drive: of `Network.drive`.
        measured: if given, each population is computed from these rates of its sources instead of the ideal
            ones, so that the difference is its own error; biases then are the network's, with what corrects
            the errors of earlier layers.
    """
    inputs = input_rates(network, drive)
    ideal = dict(inputs)
    steady = 1 if network.code.steady else 1 / network.levels
    for population in network.populations[len(inputs) :]:
        sources = ideal if measured is None else {**inputs, **measured}
        if population.maximum:
            (connection,) = network.incoming[population.name]
            ideal[population.name] = connection.connectivity.largest(sources[connection.source])
            continue
        total = np.zeros((len(drive), population.size))
        if population.bias is not None:
            total += population.bias * steady
        for connection in network.incoming[population.name]:
            current = connection.apply(sources[connection.source].astype(np.float64))
            total += current * (steady if network.is_analog(connection) else 1)
        linear = total / population.unit
        if measured is None and population.correction is not None:
            linear -= np.broadcast_to(population.correction, population.shape).ravel()
        if population.neuron.threshold:
            highest = (
                np.inf if population.cap is None else np.broadcast_to(population.cap, population.shape).ravel()
            )
            linear = np.clip(linear, 0.0, highest)
        ideal[population.name] = linear
    return ideal


def ann_predictions(head: Head, task: Task, ideal: Mapping[str, Array]) -> Array:
    """Return what the network's weights say as an ANN, shape (N, *label shape), for the rates of `ideal_rates`."""
    values = ideal[head.readout.name].reshape(-1, *head.shape) * head.readout.scale
    return of_linear(task, head, values.reshape(len(values), -1))


def largest_rate(network: Network, population: Population) -> float:
    """Return the largest rate that a population can reach; a max pooling reaches that of its sources."""
    if population.maximum:
        (connection,) = network.incoming[population.name]
        return largest_rate(network, network.by_name[connection.source])
    return np.inf if population.largest_rate is None else population.largest_rate


def parts(drive: Array) -> Iterator[slice]:
    """Yield slices of the samples of a drive, of which few rates are held at once."""
    return (slice(start, start + PART) for start in range(0, len(drive), PART))


def cut(arrays: Mapping[str, Array], part: slice) -> dict[str, Array]:
    """Return a part of the samples of arrays."""
    return {name: array[part] for name, array in arrays.items()}


class ErrorTally:
    """Add up errors batch by batch."""

    def __init__(self, network: Network, goals: Mapping[str, Goal] | None = None) -> None:
        self.network = network
        self.num_samples = 0
        self.heads = heads_of(network)
        self.goals = goals or {}
        self.ann = {name: MetricTally(goal.metric) for name, goal in self.goals.items()}
        self.largest = {p.name: largest_rate(network, p) for p in network.hidden}
        self.sums: dict[str, Array] = {}

    def add(self, drive: Array, train_values: Mapping[str, Array], labels: Mapping[str, Array]) -> None:
        """Add one batch of drives and the values of their spike trains, with labels of some outputs.

        Args:
            labels: of outputs that have a goal.
        """
        for part in parts(drive):
            self._add(drive[part], cut(train_values, part), cut(labels, part))

    def _add(self, drive: Array, train_values: Mapping[str, Array], labels: Mapping[str, Array]) -> None:
        network = self.network
        rates = {name: value / network.levels for name, value in train_values.items()}
        ideal = ideal_rates(network, drive)
        expected = ideal_rates(network, drive, rates)
        for p in self.network.hidden:
            a, r, e = ideal[p.name], rates[p.name], expected[p.name]
            row = [a.sum(), r.sum(), np.abs(r - a).sum(), ((r - a) ** 2).sum(), (a**2).sum()]
            row += [np.abs(r - e).sum(), (a > self.largest[p.name]).sum()]
            self.sums[p.name] = self.sums.get(p.name, np.zeros(len(row))) + np.array(row)
        self.num_samples += len(drive)
        for head in self.heads:
            if head.name in labels:
                found = ann_predictions(head, self.goals[head.name].task, ideal)
                self.ann[head.name].add(found[:, None], labels[head.name])

    def ann_values(self, labels: Mapping[str, Array]) -> dict[str, float]:
        """Return the metric of the network's weights as an ANN, of each output that has labels, of all samples."""
        found = {name: self.ann[name].values(own) for name, own in labels.items()}
        return {name: float(values[0]) for name, values in found.items() if values is not None}

    def errors(self) -> tuple[LayerError, ...]:
        """Return the errors of each hidden population, in order."""
        rows = []
        for p in self.network.hidden:
            a, r, error, squared, norm, own, saturated = self.sums[p.name]
            n = self.num_samples * p.size
            relative = float(np.sqrt(squared / norm)) if norm else 0.0
            rows.append(LayerError(p.name, a / n, r / n, error / n, relative, own / n, saturated / n))
        return tuple(rows)
