"""The NumPy reference: plain, slow, obviously right. Every other backend is tested against it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kgenn.backends.base import Backend, Program, RunOptions, Simulator
from kgenn.backends.population_run import PopulationRun, current_of
from kgenn.backends.reference_stepper import ReferenceStepper
from kgenn.backends.stepping import Stepper
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from kgenn.ir.recording import SCORES, Recording, RecordingOptions


class ReferenceSimulator(Simulator):
    """Run a whole batch at once: step by step in topological order, or stage by stage."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def run(self, drive: Array, first_sample: int, record: RecordingOptions = SCORES) -> Recording:
        runs = [PopulationRun(self.network, p, drive, first_sample) for p in self.network.populations]
        tally = RecordingTally(self.network, len(drive), record)
        if self.network.code.staged:
            self.run_stages(runs, tally)
        else:
            self.run_steps(runs, tally)
        return tally.recording()

    def run_steps(self, runs: list[PopulationRun], tally: RecordingTally) -> None:
        """Run every population in each step: it gets the spikes that its sources emitted in the same step."""
        for t in range(self.network.num_timesteps):
            spikes: dict[str, Array] = {}
            for run in runs:
                spikes[run.population.name] = run.step(current_of(self.network, run, spikes), t)
                tally.add(run, spikes[run.population.name], t)

    def run_stages(self, runs: list[PopulationRun], tally: RecordingTally) -> None:
        """Run one population after the other: it hears its sources' whole stage, then sends its own."""
        steps = range(self.network.num_timesteps)
        sent: list[dict[str, Array]] = [{} for _ in steps]
        for run in runs:
            for t in steps:
                run.listen(current_of(self.network, run, sent[t]), t)
            for t in steps:
                sent[t][run.population.name] = run.step(None, t)
                tally.add(run, sent[t][run.population.name], t)

    def stepper(self) -> Stepper:
        return ReferenceStepper(self.network)


class RecordingTally:
    """Collect scores, spike counts and what else was asked for."""

    def __init__(self, network: Network, num_samples: int, record: RecordingOptions) -> None:
        self.network, self.record = network, record
        steps = network.num_timesteps
        self.weights = network.code.weights(steps)
        self.counts = {p.name: np.zeros((num_samples, p.size), np.int32) for p in network.populations}
        self.train_values = {name: counts.copy() for name, counts in self.counts.items()}
        self.scores = np.zeros((num_samples, steps, network.num_scores), np.float32)
        self.raster: dict[str, Array] | None = None
        if record.trace:
            self.raster = {p.name: np.zeros((num_samples, steps, p.size), np.int8) for p in network.spiking}

    def add(self, run: PopulationRun, spikes: Array, t: int, samples: slice = slice(None)) -> None:
        """Record one population's step t for the given samples."""
        population = run.population
        self.counts[population.name][samples] += run.counted(spikes)
        self.train_values[population.name][samples] += spikes * self.weights[t].astype(np.int32)
        if self.raster is not None and population.neuron.threshold:
            self.raster[population.name][samples, t] = spikes
        columns = self.network.score_columns.get(population.name)
        if columns is not None:
            count = self.network.readout == "spike-count"
            self.scores[samples, t, columns] = self.counts[population.name][samples] if count else run.state["v"]

    def recording(self) -> Recording:
        """Return what was collected."""
        counts: Mapping[str, Array] = {p.name: self.counts[p.name] for p in self.network.spiking}
        train_values = {name: self.train_values[name] for name in counts} if self.record.train_values else None
        scores = self.scores if self.record.curve else self.scores[:, -1:]
        return Recording(scores, counts, self.raster, train_values)


class Reference(Backend):
    """NumPy: the oracle of all other targets; writes no sources."""

    def emit(self, network: Network) -> Program:
        return Program({})

    def load(self, network: Network, directory: Path | None, options: RunOptions) -> Simulator:
        return ReferenceSimulator(network)
