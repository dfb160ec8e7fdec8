"""What every backend is: a way to write a network as a program, and a way to run it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from kgenn.backends.stepping import Stepper
from kgenn.citations import Citation
from kgenn.config import check_types
from kgenn.diagnostics import fail
from kgenn.ir.connectivity import Sparse
from kgenn.ir.graph import Array
from kgenn.ir.network import Connection, Network
from kgenn.ir.recording import SCORES, Recording, RecordingOptions


@dataclass(frozen=True, eq=False)
class Program:
    """What a backend writes: file names (relative, with forward slashes) and their contents."""

    files: Mapping[str, bytes]


@dataclass(frozen=True)
class Storage:
    """How a target holds a connection.

    Attributes:
        matrix: the target's name for it.
        memory: bytes of weights and indices.
    """

    matrix: str
    memory: int


@dataclass(frozen=True)
class Work:
    """How a simulator computed the synapses of a connection so far.

    Attributes:
        source, target: the populations.
        algorithms: for each that was used, the share of the timesteps of all samples.
        density: the share of the source's values that were not zero.
    """

    source: str
    target: str
    algorithms: Mapping[str, float]
    density: float


SynapseAlgorithm = Literal["auto", "events", "dense"]


@dataclass(frozen=True)
class RunOptions:
    """What the user may choose about a run; none of it changes a spike of what kgenn wrote.

    Attributes:
        threads: over samples; 0 for one on each core.
        genn_python: the Python interpreter that has pygenn; None for $KGENN_GENN_PYTHON, or this one.
        kernel_times: let GeNN time its kernels.
        synapses: how generated C++ or CUDA computes them: event by event, as dense products, or what is faster for
            each layer.
        edited: run an output directory although files of it were changed since kgenn wrote them.
    """

    threads: int = field(default=0, metadata={"help": "threads, each for some of the samples; 0 for one per core"})
    genn_python: str | None = field(default=None, metadata={"help": "the Python interpreter that has pygenn"})
    kernel_times: bool = field(default=False, metadata={"help": "report the time of GeNN's kernels"})
    synapses: SynapseAlgorithm = field(
        default="auto",
        metadata={"help": "targets cpu and cuda: spike by spike, all values, or the faster of both"},
    )
    edited: bool = field(
        default=False, metadata={"help": "also run files that were changed since kgenn wrote them"}
    )

    def __post_init__(self) -> None:
        check_types(self)
        if self.threads < 0:
            raise fail("KG401", "--threads", f"is {self.threads}", "give 0 for one on each core, or a number")


def run_options(given: object) -> RunOptions:
    """Return what a user passes as the options of a run; the defaults for None.

    Raises:
        KgennError: KG401 for anything else.
    """
    if given is None:
        return RunOptions()
    if not isinstance(given, RunOptions):
        raise fail("KG401", "options", f"is {given!r}", "give kgenn.backends.RunOptions(...)")
    return given


def given_network(given: object) -> Network:
    """Return what a user passes as a network.

    Raises:
        KgennError: KG401 for anything else.
    """
    if not isinstance(given, Network):
        advice = "give what kgenn.convert returns, or the attribute network of what kgenn.compile returns"
        raise fail("KG401", "network", f"is a {type(given).__name__}", advice)
    return given


class Simulator(ABC):
    """A network made ready to run by a backend."""

    def prepare(self, trace: bool, batch_size: int) -> None:  # noqa: B027 (most are ready when they are loaded)
        """Do what can be done before the first batch, so that it is not timed with it.

        Args:
            trace: every spike will be recorded.
            batch_size: the most samples of a batch.
        """

    @property
    def child_cpu_seconds(self) -> float:
        """Return the CPU time so far of other processes that simulate."""
        return 0.0

    @property
    def slots(self) -> int:
        """Return how many batches it simulates at once, each of as many samples as a run asks for."""
        return 1

    @property
    def kernel_seconds(self) -> Mapping[str, float]:
        """Return the time of each kind of kernel so far, where the backend measures it and was asked to."""
        return {}

    @property
    def work(self) -> tuple[Work, ...]:
        """Return how each connection was computed so far, where the simulator can choose."""
        return ()

    def stepper(self) -> Stepper | None:
        """Return what steps the network timestep by timestep; None where the target has no such program."""
        return None

    @abstractmethod
    def run(self, drive: Array, first_sample: int, record: RecordingOptions = SCORES) -> Recording:
        """Run a batch.

        Args:
            drive: of `Network.drive`: shape (N, num_inputs), or (N, T, num_inputs) where an input changes with
                time; integers in float32.
            first_sample: the index of the batch's first sample in the data set; it keys the random numbers,
                so that they do not depend on how the data are split into batches.
            record: what to record besides spike counts and scores.
        """


class Backend(ABC):
    """A target of `kgenn compile`.

    Attributes:
        leaves: patterns of the names that building and running may add to an output directory.
        citations: keys or entries of `kgenn.citations`.
        checked: what `kgenn compile` built is compared with the reference at once; it must run where it is built.
    """

    citations: ClassVar[tuple[Citation, ...]] = ()
    checked: ClassVar[bool] = False

    leaves: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def emit(self, network: Network) -> Program:
        """Write the program's sources; the same network gives the same bytes."""

    def storage(self, network: Network) -> tuple[Storage, ...]:
        """Return how the target holds each connection of a network; by default as the network itself does."""
        return tuple(map(_as_stored, network.connections))

    def build(self, network: Network, directory: Path) -> None:  # noqa: B027 (a backend may have nothing to do)
        """Build in an output directory what can be built before the first run; by default nothing."""

    def damaged(self, directory: Path) -> Mapping[str, str]:
        """Return what was built in an output directory and is not whole, by name; by default nothing is known."""
        return {}

    @abstractmethod
    def load(self, network: Network, directory: Path | None, options: RunOptions) -> Simulator:
        """Build what needs building and return a simulator.

        Args:
            network: the network that was emitted.
            directory: the compiled directory, or None to build from a fresh emission.
            options: of the run.
        """


def _as_stored(connection: Connection) -> Storage:
    kind = connection.connectivity
    indices = kind.indices.nbytes + kind.indptr.nbytes if isinstance(kind, Sparse) else 0
    return Storage("rows" if indices else "array", kind.weights.nbytes + indices)
