"""Where cells run: in processes of this machine, or on a Dask cluster."""

from __future__ import annotations

import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any

from kgenn.artifact.cluster import connected, threads_of
from kgenn.bench.rerun import CellTask
from kgenn.bench.work import CellOutcome, run_cell


class Workers(ABC):
    """What runs cells."""

    @property
    @abstractmethod
    def slots(self) -> int:
        """Return how many cells can run at once."""

    @abstractmethod
    def submit(self, task: CellTask, ann_values: Mapping[str, float] | None) -> Future[CellOutcome]:
        """Start a cell, or queue it."""


class Processes(Workers):
    """Processes of this machine. They end with this one, however it ends: each waits for the end of a pipe."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._start()

    @property
    def slots(self) -> int:
        return self._slots

    def submit(self, task: CellTask, ann_values: Mapping[str, float] | None) -> Future[CellOutcome]:
        with interrupts_held_back():
            try:
                return self._executor.submit(run_cell, task, ann_values)
            except BrokenProcessPool:  # a process died: go on with others
                self.close()
                self._start()
                return self._executor.submit(run_cell, task, ann_values)

    def close(self) -> None:
        """End all processes, whatever they do."""
        self._line.close()
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _start(self) -> None:
        context = get_context("spawn")  # a fork would inherit NumPy's threads, and the pipe's open end
        theirs, self._line = context.Pipe(duplex=False)
        self._executor = ProcessPoolExecutor(self._slots, context, live_with, (theirs,))


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Let an interrupt wait for the end of the block; processes started in it begin with interrupts held back."""
    resource_tracker.ensure_running()  # which would let them through when the first process starts
    held: list[int] = []
    # another thread than this one may get the signal, and Python then runs its handler in this one
    handler = signal.signal(signal.SIGINT, lambda number, frame: held.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
        if held:
            raise KeyboardInterrupt


def live_with(line: Connection) -> None:
    """End this process when the other end of a pipe closes; leave interrupts to the process that holds it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def wait() -> None:
        with suppress(EOFError, OSError):
            line.recv()
        os._exit(1)

    Thread(target=wait, daemon=True).start()


@dataclass(frozen=True, eq=False)
class Cluster(Workers):
    """A Dask cluster; its workers need kgenn, and the files under the same paths."""

    client: Any
    executor: Executor

    @property
    def slots(self) -> int:
        return threads_of(self.client)

    def submit(self, task: CellTask, ann_values: Mapping[str, float] | None) -> Future[CellOutcome]:
        return self.executor.submit(run_cell, task, ann_values)


def num_cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


@contextmanager
def processes(slots: int) -> Iterator[Workers]:
    """Start processes on this machine, and end them with the block."""
    workers = Processes(slots)
    try:
        yield workers
    finally:
        workers.close()


@contextmanager
def cluster(address: str) -> Iterator[Workers]:
    """Connect to a Dask cluster; what still runs there when the block ends is forgotten.

    Args:
        address: of its scheduler, such as tcp://host:8786.

    Raises:
        KgennError: KG508 without Dask, KG624 where the scheduler does not answer.
    """
    client = connected(address)
    try:
        yield Cluster(client, client.get_executor(pure=False))
    finally:
        client.close()
