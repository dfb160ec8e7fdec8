"""The reference in the delayed, windowed order of simulators whose spikes take one step for each connection.

A population at depth p works in steps p … p + T − 1. A connection from depth q to depth p reads the spikes
that were emitted p − q steps ago: one step that every connection takes, and p − q − 1 of added delay. Outside
its window a population neither integrates nor fires. Samples follow one another and the spikes in flight are
*not* cleared between them, as in GeNN: the windows alone keep one sample out of the next.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from kgenn.backends.base import Simulator
from kgenn.backends.reference import PopulationRun, Tally
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from kgenn.ir.recording import Recording


class PipelineSimulator(Simulator):
    """Run sample after sample through a pipeline that is never flushed."""

    def __init__(self, network: Network) -> None:
        self.network = network
        longest = max(network.depths.values()) + 1
        # spikes of the last steps of each population, the newest last; what a connection may still read
        self.in_flight: dict[str, deque[Array]] = {
            p.name: deque([np.zeros((1, p.size), np.int8)] * longest, maxlen=longest) for p in network.populations
        }

    def run(self, drive: Array, first_sample: int, trace: bool = False) -> Recording:
        tally = Tally(self.network, len(drive), trace)
        for sample in range(len(drive)):
            self.run_sample(drive[sample : sample + 1], first_sample + sample, tally, slice(sample, sample + 1))
        return tally.recording()

    def run_sample(self, drive: Array, index: int, tally: Tally, where: slice) -> None:
        """Run one sample from step 0 until the deepest population has worked its T steps."""
        network, depths = self.network, self.network.depths
        runs = [PopulationRun(network, p, drive, index) for p in network.populations]
        for n in range(network.num_timesteps + max(depths.values())):
            arriving = [self.arriving(run) for run in runs]
            for run, i_syn in zip(runs, arriving, strict=True):
                t = n - depths[run.population.name]
                if 0 <= t < network.num_timesteps:
                    spikes = run.step(i_syn, t)
                    tally.add(run, spikes, t, where)
                else:
                    spikes = np.zeros(run.shape, np.int8)
                self.in_flight[run.population.name].append(spikes)

    def arriving(self, run: PopulationRun) -> Array:
        """Sum what arrives at a population in this step, before any population has moved on."""
        network, depths = self.network, self.network.depths
        i_syn = run.constant.copy()
        for c in network.incoming[run.population.name]:
            if not network.is_analog(c):
                steps_ago = depths[c.target] - depths[c.source]
                i_syn += c.apply(self.in_flight[c.source][-steps_ago].astype(np.float32))
        return i_syn
