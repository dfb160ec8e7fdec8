"""Run a network on samples by generated C++: for the conversion methods that calibrate by simulation."""

from __future__ import annotations

from collections.abc import Iterator

from kgenn.backends.base import RunOptions
from kgenn.backends.cpp import Cpp
from kgenn.ir.network import Network
from kgenn.ir.recording import Recording, RecordingOptions
from kgenn.ir.samples import SamplesLike

BATCH = 64
# Maximum number of spike trains of a batch, whose values take 1 GiB.
MAX_TRAINS = 1 << 28


def simulate(
    network: Network, x: SamplesLike, record: RecordingOptions, *, once: bool = False, threads: int = 0
) -> Iterator[Recording]:
    """Yield the recording of each batch of samples.

    Args:
        x: as the user gives them; see `Network.samples`.
        once: the network is not run again: build it fast.
        threads: over samples; 0 for one on each core.
    """
    samples = network.samples(x)
    simulator = Cpp(quick=once).load(network, None, RunOptions(threads))
    neurons = sum(population.size for population in network.spiking)
    batch = min(BATCH, max(1, MAX_TRAINS // max(neurons, 1)))
    for start in range(0, len(samples), batch):
        yield simulator.run(network.drive(samples[start : start + batch], start), start, record)
