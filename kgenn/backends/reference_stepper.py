"""The NumPy reference, stepped: each population keeps its state from one timestep to the next."""

from __future__ import annotations

import numpy as np

from kgenn.backends.population_run import PopulationRun, current_of
from kgenn.backends.stepping import Stepper
from kgenn.ir.graph import Array
from kgenn.ir.network import Network


class ReferenceStepper(Stepper):
    """Run every population in each step, as `ReferenceSimulator` does, with an input that may come at any step."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.reset(0)

    def reset(self, sample: int) -> None:
        network = self.network
        nothing = np.zeros((1, network.num_inputs), np.float32)
        self.runs = [PopulationRun(network, p, nothing, sample) for p in network.populations]
        self.timestep = 0
        self.sent: dict[str, Array] = {p.name: np.zeros((1, p.size), np.int8) for p in network.populations}
        self.counts = {p.name: np.zeros((1, p.size), np.int32) for p in network.populations}

    def step(self, x: Array | None) -> None:
        if x is not None:
            drive = self._drive(x)
            for run in self.runs:
                run.set_input(drive)
        sent: dict[str, Array] = {}
        for run in self.runs:
            name = run.population.name
            sent[name] = run.step(current_of(self.network, run, sent), self.timestep)
            self.counts[name] += run.counted(sent[name])
        self.sent, self.timestep = sent, self.timestep + 1

    def _drive(self, x: Array) -> Array:
        columns = self.network.drive_columns
        several = len(columns) > 1
        drives = [i.drive(x[columns[i.name]].reshape(1, *i.shape), several=several) for i in self.network.inputs]
        return np.concatenate(drives, axis=1)

    @property
    def scores(self) -> Array:
        found = []
        for run in self.runs:
            if run.population.name in self.network.score_columns:
                count = self.network.readout == "spike-count"
                found.append((self.counts[run.population.name] if count else run.state["v"])[0])
        scores: Array = np.concatenate(found).astype(np.float32)
        return scores

    @property
    def spikes(self) -> Array:
        return np.concatenate([np.zeros(0, np.int8), *(self.sent[p.name][0] for p in self.network.spiking)])
