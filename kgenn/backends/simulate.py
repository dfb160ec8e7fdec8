"""Run a network on samples by generated C++: for the conversion methods that calibrate by simulation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kgenn.backends.base import RunOptions
from kgenn.backends.cpp import Cpp
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from kgenn.ir.recording import Recording, Wanted

BATCH = 64


def simulate(
    network: Network, x: Array, wanted: Wanted, *, once: bool = False, threads: int = 0
) -> Iterator[Recording]:
    """Yield the recording of each batch of samples.

    Args:
        x: as the user gives them, shape (N, *input shape).
        once: the network is not run again: build it fast.
        threads: over samples; 0 for one on each core.
    """
    simulator = Cpp(quick=once).load(network, None, RunOptions(threads))
    for start in range(0, len(x), BATCH):
        drive = network.drive(np.asarray(x[start : start + BATCH]))
        yield simulator.run(drive, start, wanted)
