"""One population of the NumPy reference: its dynamics, evaluated step by step for a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kgenn.ir.graph import Array
from kgenn.ir.network import Network, Population
from kgenn.ir.neuron_code import evaluate, expression_of, statements
from kgenn.ir.random import neuron_keys, random24


class PopulationRun:
    """One population during one batch: its state, its constant current, its random keys.

    Attributes:
        population: which.
        params: every parameter by name, of the model's precision.
        state: every state variable by name, shape (N, size), of the model's precision.
        constant: bias and direct input, shape (N, size), of the model's precision.
        drive: of its inputs at the last step, shape (N, size).
    """

    def __init__(self, network: Network, population: Population, drive: Array, first_sample: int) -> None:
        self.network, self.population = network, population
        self.steady = network.code.steady
        self.real = real = population.neuron.real
        given = {**population.neuron.params, **population.params}
        self.params = {name: real(np.float32(value)) for name, value in given.items()}
        self.columns = columns = network.drive_columns.get(population.name)
        num_samples = len(drive)
        self.shape = (num_samples, population.size)
        self.state: dict[str, Array] = {}
        self.frames = drive if drive.ndim == 3 else None
        self.set_input(drive if self.frames is None else drive[:, 0])
        samples, first = first_sample + np.arange(num_samples), 0 if columns is None else columns.start
        self.keys = neuron_keys(network.seed, samples, population.size, first)
        self.reset_state()

    def set_input(self, drive: Array) -> None:
        """Let an input flow, shape (N, num_inputs)."""
        self.drive = np.float32(0) if self.columns is None else drive[:, self.columns]
        self.constant = np.zeros(self.shape, self.real)
        if self.population.bias is not None:
            self.constant += self.population.bias.astype(self.real)
        for connection in self.network.incoming[self.population.name]:
            if self.network.is_analog(connection):
                self.constant += self.network.direct_current(connection, drive)

    def reset_state(self) -> None:
        """Set every state variable to its value at the start of a sample."""
        starts = self.population.starts.items()
        self.state = {name: np.full(self.shape, value, self.real) for name, value in starts}

    def names(self, i_syn: Array, timestep: int) -> dict[str, Any]:
        """Return the value of every name that the dynamics can read."""
        signals = {"i_syn": i_syn.astype(self.real), "i_ext": self.drive, "t": self.real(timestep)}
        return {**self.params, **signals, **self.state}

    def of_neurons(self, value: Array) -> Array:
        """Return the value of an expression for each neuron, shape (N, size): most have it, but constants."""
        return value if value.shape == self.shape else np.broadcast_to(value, self.shape)

    def counted(self, spikes: Array) -> Array:
        """Return how many spikes values stand for: a graded one is one."""
        return spikes != 0 if self.population.neuron.graded else np.abs(spikes)

    def listen(self, i_syn: Array, timestep: int) -> None:
        """Run one step of the stage before the population's own.

        Args:
            i_syn: the synaptic current, shape (N, size).
            timestep: t, counted from 0 in the sources' stage.
        """
        names = self.names(i_syn, timestep)
        for name, expression in statements(self.population.neuron.integrate):
            names[name] = evaluate(expression, names, lambda: self.keys, self.real)
        self.state = {name: self.of_neurons(names[name]) for name in self.state}

    def step(self, synaptic: Array | None, timestep: int) -> Array:
        """Run one timestep and return the value of each neuron's spike, shape (N, size), int8.

        Args:
            synaptic: the summed synaptic current, or None for none.
            timestep: t, counted from 0 in this population's own window.
        """
        model = self.population.neuron
        if self.frames is not None:
            self.set_input(self.frames[:, timestep])
        i_syn = self.constant.copy() if self.steady or timestep == 0 else np.zeros_like(self.constant)
        if synaptic is not None:
            i_syn += synaptic
        names = self.names(i_syn, timestep)

        def value_of(code: str) -> Array:
            return self.of_neurons(evaluate(expression_of(code), names, random, self.real))

        def random() -> Array:
            return random24(self.keys, timestep)

        for name, expression in statements(model.update):
            names[name] = evaluate(expression, names, random, self.real)
        spikes = np.zeros(self.shape, np.int8)
        if model.threshold:
            fired = value_of(model.threshold)
            spikes[fired] = value_of(model.emit)[fired].astype(np.int8)
            for name, expression in statements(model.reset):
                after = evaluate(expression, names, random, self.real)
                names[name] = np.where(fired, after, names[name])
        self.state = {name: self.of_neurons(names[name]) for name in self.state}
        return spikes


def current_of(network: Network, run: PopulationRun, spikes: Mapping[str, Array]) -> Array:
    """Return the summed current of one step's spikes, shape (N, size)."""
    i_syn = np.zeros(run.shape, run.real)
    for c in network.incoming[run.population.name]:
        if not network.is_analog(c):
            i_syn += c.apply(spikes[c.source].astype(run.real))
    return i_syn
