"""Run a compiled directory on a Dask cluster: each worker simulates a part of every batch.

Workers need kgenn, and the directory under the same path. The spikes are those of one machine, because the random
numbers of a sample depend on its index in the data set.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kgenn.artifact.directory import load_simulator, read_unchanged
from kgenn.backends.base import RunOptions, Simulator
from kgenn.diagnostics import Diagnostic, KgennError, fail
from kgenn.files.checksums import SUMS
from kgenn.ir.graph import Array
from kgenn.ir.recording import SCORES, Recording, RecordingOptions
from kgenn.registry import extra

# Seconds to wait for a scheduler.
PATIENCE = 10
# What a thread of a worker has open.
_OPEN = threading.local()


def connected(address: str) -> Any:
    """Return a client of a Dask cluster.

    Args:
        address: of its scheduler, such as tcp://host:8786.

    Raises:
        KgennError: KG508 without Dask, KG624 where the scheduler does not answer.
    """
    distributed = extra("distributed", "dask")
    try:
        return distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        advice = "start one with dask scheduler and dask worker, and give its address"
        raise fail("KG624", address, f"the scheduler does not answer: {error}", advice) from error


def threads_of(client: Any) -> int:
    """Return how many tasks the workers of a cluster run at once, at least 1."""
    return max(1, sum(map(int, client.nthreads().values())))


@dataclass(frozen=True)
class Opening:
    """A compiled directory as a worker opens it.

    Attributes:
        directory: its path, the same for all workers.
        sums: the checksums of its files, which tell another directory of that path.
        target: to run it on.
    """

    directory: str
    sums: bytes
    target: str
    options: RunOptions

    def simulator(self) -> Simulator:
        """Return a simulator, which this thread keeps for its next part.

        Raises:
            KgennError: as `kgenn.open_directory`; KG624 where the directory is another one.
        """
        if getattr(_OPEN, "opening", None) != self:
            place = Path(self.directory)
            artifact = read_unchanged(place, self.options)
            if sums_of(place) != self.sums:
                advice = "give all workers the same directory under the same path"
                raise fail("KG624", self.directory, "is not what the command opened", advice)
            _OPEN.simulator = load_simulator(place, artifact, self.target, self.options)
            _OPEN.opening = self
        simulator: Simulator = _OPEN.simulator
        return simulator


@dataclass(frozen=True, eq=False)
class Part:
    """What a worker gives for some samples of a batch: their recording, or why there is none."""

    recording: Recording | None
    errors: tuple[Diagnostic, ...] = ()
    cpu_seconds: float = 0.0


class ClusterSimulator(Simulator):
    """A network that the workers of a cluster simulate.

    Args:
        client: of the cluster, which is closed with this object.
    """

    def __init__(self, client: Any, directory: Path, target: str, options: RunOptions) -> None:
        threads = options.threads or 1  # each of a worker's threads has a part of its own
        place = directory.resolve()
        self._client = client
        self._opening = Opening(str(place), sums_of(place), target, replace(options, threads=threads))
        self._cpu_seconds = 0.0
        weakref.finalize(self, client.close)

    @property
    def slots(self) -> int:
        return threads_of(self._client)

    @property
    def child_cpu_seconds(self) -> float:
        return self._cpu_seconds

    def run(self, drive: Array, first_sample: int, record: RecordingOptions = SCORES) -> Recording:
        size = max(1, -(-len(drive) // self.slots))
        futures = [
            self._client.submit(
                simulated, self._opening, drive[start : start + size], first_sample + start, record, pure=False
            )
            for start in range(0, len(drive), size)
        ]
        parts = self._gathered(futures)
        errors = tuple(dict.fromkeys(error for part in parts for error in part.errors))
        if errors:
            raise KgennError(errors)
        self._cpu_seconds += sum(part.cpu_seconds for part in parts)
        return _joined([part.recording for part in parts if part.recording is not None])

    def _gathered(self, futures: Sequence[Any]) -> list[Part]:
        lost = extra("distributed", "dask").KilledWorker
        try:
            found: list[Part] = self._client.gather(futures)
        except (OSError, lost) as error:
            what = f"lost its workers: {error}"
            raise fail("KG624", self._client.scheduler.address, what, "see the workers' own output") from error
        return found


def sums_of(directory: Path) -> bytes:
    """Return the text of the checksums of a directory's files; nothing where they cannot be read."""
    path = directory / SUMS
    return path.read_bytes() if path.is_file() else b""


def simulated(opening: Opening, drive: Array, first_sample: int, record: RecordingOptions) -> Part:
    """Simulate some samples in a worker; errors are returned, because exceptions of kgenn do not travel."""
    before = time.thread_time()
    try:
        recording = opening.simulator().run(drive, first_sample, record)
    except KgennError as error:
        return Part(None, error.diagnostics)
    return Part(recording, cpu_seconds=time.thread_time() - before)


def _joined(parts: Sequence[Recording]) -> Recording:
    """Return the recordings of the parts of a batch as one."""
    return Recording(
        np.concatenate([part.scores for part in parts]),
        _concatenated([part.spike_counts for part in parts]),
        _optional([part.raster for part in parts]),
        _optional([part.train_values for part in parts]),
    )


def _concatenated(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _optional(parts: Sequence[Mapping[str, Array] | None]) -> dict[str, Array] | None:
    given = [part for part in parts if part is not None]
    return _concatenated(given) if given else None
