"""The reference in the delayed, windowed order of simulators whose spikes take one step for each connection.

`kgenn.ir.timing` says in which steps a population works and how long its spikes travel. Outside its window a
population neither integrates nor fires. Samples follow one another and the spikes in flight are *not* cleared
between them, as in GeNN: the windows alone keep one sample out of the next.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from kgenn.backends.base import Simulator
from kgenn.backends.population_run import PopulationRun
from kgenn.backends.reference import RecordingTally
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from kgenn.ir.recording import SCORES, Recording, RecordingOptions
from kgenn.ir.timing import Timing


class PipelineSimulator(Simulator):
    """Run sample after sample through a pipeline that is never flushed."""

    def __init__(self, network: Network) -> None:
        self.network, self.timing = network, Timing(network)
        travels = (self.timing.travel(c) for c in network.connections if not network.is_analog(c))
        longest = max(travels, default=1)
        # spikes of the last steps of each population, the newest last; what a connection may still read
        self.in_flight: dict[str, deque[Array]] = {
            p.name: deque([np.zeros((1, p.size), np.int8)] * longest, maxlen=longest) for p in network.populations
        }

    def run(self, drive: Array, first_sample: int, record: RecordingOptions = SCORES) -> Recording:
        tally = RecordingTally(self.network, len(drive), record)
        for sample in range(len(drive)):
            self.run_sample(drive[sample : sample + 1], first_sample + sample, tally, slice(sample, sample + 1))
        return tally.recording()

    def run_sample(self, drive: Array, index: int, tally: RecordingTally, where: slice) -> None:
        """Run one sample from step 0 until the readout has worked its T steps."""
        network, timing = self.network, self.timing
        runs = [PopulationRun(network, p, drive, index) for p in network.populations]
        for n in range(timing.num_steps):
            arriving = [self.arriving(run) for run in runs]
            for run, i_syn in zip(runs, arriving, strict=True):
                t = n - timing.start(run.population.name)
                spikes = np.zeros(run.shape, np.int8)
                if -timing.listening <= t < 0:
                    run.listen(i_syn, t + timing.listening)
                elif 0 <= t < network.num_timesteps:
                    spikes = run.step(None if timing.listening else i_syn, t)
                    tally.add(run, spikes, t, where)
                self.in_flight[run.population.name].append(spikes)

    def arriving(self, run: PopulationRun) -> Array:
        """Sum what arrives at a population in this step, before any population has moved on."""
        i_syn = np.zeros(run.shape, run.real)
        for c in self.network.incoming[run.population.name]:
            if not self.network.is_analog(c):
                i_syn += c.apply(self.in_flight[c.source][-self.timing.travel(c)].astype(run.real))
        return i_syn
