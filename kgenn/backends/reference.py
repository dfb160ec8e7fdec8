"""The NumPy reference: plain, slow, obviously right. Every other backend is tested against it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kgenn.backends.base import Backend, Program, RunOptions, Simulator
from kgenn.ir.graph import Array
from kgenn.ir.network import Network, Population
from kgenn.ir.neuron_code import evaluate, expression_of, statements
from kgenn.ir.random import neuron_keys, random24
from kgenn.ir.recording import Recording


class PopulationRun:
    """One population during one batch: its state, its constant current, its random keys.

    Attributes:
        population: which.
        state: every state variable by name, shape (N, size), float32.
        constant: the current of every step, bias and direct input, shape (N, size), float32.
    """

    def __init__(self, network: Network, population: Population, drive: Array, first_sample: int) -> None:
        self.population = population
        self.drive = drive if population is network.populations[0] else np.float32(0)
        num_samples = len(drive)
        self.shape = (num_samples, population.size)
        self.state: dict[str, Array] = {}
        self.constant = np.zeros(self.shape, np.float32)
        if population.bias is not None:
            self.constant += population.bias.astype(np.float32)
        for connection in network.incoming[population.name]:
            if network.is_analog(connection):
                self.constant += network.direct_current(connection, drive)
        self.keys = neuron_keys(network.seed, first_sample + np.arange(num_samples), population.size)
        self.reset_state()

    def reset_state(self) -> None:
        """Set every state variable to its value at the start of a sample."""
        model = self.population.neuron
        initial = {**model.state, **self.population.initial}
        self.state = {name: np.full(self.shape, value, np.float32) for name, value in initial.items()}

    def step(self, i_syn: Array, timestep: int) -> Array:
        """Run one timestep and return the value of each neuron's spike, shape (N, size), int8.

        Args:
            i_syn: the summed synaptic current, constant included.
            timestep: t, counted from 0 in this population's own window.
        """
        model = self.population.neuron
        params = {k: np.float32(v) for k, v in {**model.params, **self.population.params}.items()}
        signals = {"i_syn": i_syn, "i_ext": self.drive, "t": np.float32(timestep)}
        names = {**params, **signals, **self.state}

        def random() -> Array:
            return random24(self.keys, timestep)

        for name, expression in statements(model.update):
            names[name] = evaluate(expression, names, random)
        spikes = np.zeros(self.shape, np.int8)
        if model.threshold:
            fired = np.broadcast_to(evaluate(expression_of(model.threshold), names, random), self.shape)
            value = np.broadcast_to(evaluate(expression_of(model.emit), names, random), self.shape)
            spikes[fired] = value[fired].astype(np.int8)
            for name, expression in statements(model.reset):
                names[name] = np.where(fired, evaluate(expression, names, random), names[name])
        self.state = {name: np.broadcast_to(names[name], self.shape) for name in self.state}
        return spikes


class ReferenceSimulator(Simulator):
    """Run step by step in topological order, a whole batch at once."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def run(self, drive: Array, first_sample: int, trace: bool = False) -> Recording:
        network = self.network
        runs = [PopulationRun(network, p, drive, first_sample) for p in network.populations]
        tally = Tally(network, len(drive), trace)
        for t in range(network.num_timesteps):
            spikes: dict[str, Array] = {}
            for run in runs:
                i_syn = run.constant.copy()
                for c in network.incoming[run.population.name]:
                    if not network.is_analog(c):
                        i_syn += c.apply(spikes[c.source].astype(np.float32))
                spikes[run.population.name] = run.step(i_syn, t)
                tally.add(run, spikes[run.population.name], t)
        return tally.recording()


class Tally:
    """Collect scores, spike counts and, if asked, every spike."""

    def __init__(self, network: Network, num_samples: int, trace: bool) -> None:
        self.network = network
        steps = network.num_timesteps
        self.counts = {p.name: np.zeros((num_samples, p.size), np.int32) for p in network.populations}
        self.scores = np.zeros((num_samples, steps, network.populations[-1].size), np.float32)
        self.raster: dict[str, Array] | None = None
        if trace:
            self.raster = {p.name: np.zeros((num_samples, steps, p.size), np.int8) for p in network.spiking}

    def add(self, run: PopulationRun, spikes: Array, t: int, samples: slice = slice(None)) -> None:
        """Record one population's step t for the given samples."""
        population = run.population
        self.counts[population.name][samples] += np.abs(spikes)
        if self.raster is not None and population.neuron.threshold:
            self.raster[population.name][samples, t] = spikes
        if population is self.network.populations[-1]:
            count = self.network.readout == "spike-count"
            self.scores[samples, t] = self.counts[population.name][samples] if count else run.state["v"]

    def recording(self) -> Recording:
        """Return what was collected."""
        counts: Mapping[str, Array] = {p.name: self.counts[p.name] for p in self.network.spiking}
        return Recording(self.scores, counts, self.raster)


class Reference(Backend):
    """NumPy: the oracle of all other targets; writes no sources."""

    def emit(self, network: Network) -> Program:
        return Program({})

    def load(self, network: Network, directory: Path | None, options: RunOptions) -> Simulator:
        return ReferenceSimulator(network)
