"""What every backend is: a way to write a network as a program, and a way to run it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from kgenn.ir.recording import Recording


@dataclass(frozen=True, eq=False)
class Program:
    """What a backend writes: file names (relative, with forward slashes) and their contents."""

    files: Mapping[str, bytes]


class Simulator(ABC):
    """A network made ready to run by a backend."""

    @abstractmethod
    def run(self, drive: Array, first_sample: int, trace: bool = False) -> Recording:
        """Run a batch.

        Args:
            drive: of `InputCoding.drive`, shape (N, num_inputs), integers in float32.
            first_sample: the index of the batch's first sample in the data set; it keys the random numbers,
                so that they do not depend on how the data are split into batches.
            trace: also record every spike.
        """


class Backend(ABC):
    """A target of `kgenn compile`."""

    @abstractmethod
    def emit(self, network: Network) -> Program:
        """Write the program's sources; the same network gives the same bytes."""

    @abstractmethod
    def load(self, network: Network, directory: Path | None, num_threads: int) -> Simulator:
        """Build what needs building and return a simulator.

        Args:
            network: the network that was emitted.
            directory: the compiled directory, or None to build from a fresh emission.
            num_threads: threads over samples; 0 for one on each core.
        """
