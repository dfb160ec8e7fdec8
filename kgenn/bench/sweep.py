"""Run a sweep: unfinished cells go to workers, and what they return to the results directory.

The workers are processes of this machine, or those of a Dask cluster.
"""

from __future__ import annotations

import os
import signal
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any, Protocol

from kgenn.artifact.cluster import connected, threads_of
from kgenn.bench.experiment import Experiment
from kgenn.bench.json_object import SCHEMA
from kgenn.bench.rerun import CellTask, record
from kgenn.bench.rows import FAILED, OK, ExperimentRecord, ann_values_of
from kgenn.bench.store import Line, Store
from kgenn.bench.work import CellOutcome, run_cell
from kgenn.diagnostics import Diagnostic, fail


class Watcher(Protocol):
    """Who shows how a sweep goes on."""

    def started(self, task: CellTask) -> None:
        """A cell has started."""

    def finished(self, task: CellTask, line: Line) -> None:
        """A cell is finished, and its line written."""


@dataclass(frozen=True, eq=False)
class SweepPlan:
    """Experiments with the tasks of their cells, in order."""

    experiments: Sequence[tuple[Experiment, Sequence[CellTask]]]

    @cached_property
    def tasks(self) -> dict[str, tuple[Experiment, CellTask]]:
        """Return each task once, by key, with the first experiment that asks for it."""
        found: dict[str, tuple[Experiment, CellTask]] = {}
        for experiment, tasks in self.experiments:
            for task in tasks:
                found.setdefault(task.key, (experiment, task))
        return found

    def left(self, lines: Mapping[str, Line], retry_failed: bool) -> list[CellTask]:
        """Return the tasks that are to be run; those of one model, which share most, stand together."""
        done = {key for key, line in lines.items() if not (retry_failed and line["status"] == FAILED)}
        left = [task for key, (_, task) in self.tasks.items() if key not in done]
        groups: dict[tuple[Any, ...], list[CellTask]] = {}
        for task in left:
            groups.setdefault((task.files.model, task.files.calibration), []).append(task)
        return [task for group in groups.values() for task in group]

    def heads(self) -> list[Line]:
        """Return how the line of each cell begins."""
        return [_head(experiment, task) for experiment, task in self.tasks.values()]

    def to_dict(self) -> dict[str, Any]:
        """Return what sweep.json holds."""
        entries = [_entry(experiment, tasks).to_json() for experiment, tasks in self.experiments]
        return {"schema": SCHEMA, "experiments": entries}


@dataclass(eq=False)
class Sweep:
    """A sweep under way.

    Attributes:
        queue: what has not started.
        suspects: what ran when a process died; each runs again, alone.
        running: what runs, and whether alone.
        values: of models on test samples, as far as known.
    """

    plan: SweepPlan
    store: Store
    workers: Workers
    watcher: Watcher
    queue: deque[CellTask] = field(default_factory=deque)
    suspects: deque[CellTask] = field(default_factory=deque)
    running: dict[Future[CellOutcome], tuple[CellTask, bool]] = field(default_factory=dict)
    values: dict[tuple[Any, ...], dict[str, float]] = field(default_factory=dict)

    def run(self, tasks: Iterable[CellTask]) -> None:
        """Run tasks to the end, and write the results.

        Raises:
            KgennError: KG606 where a line cannot be written.
        """
        self.queue.extend(tasks)
        self.store.write_sweep(self.plan.to_dict())
        known = self.plan.tasks
        for line in self.store.lines.values():
            if line["key"] in known:
                self._learn(known[line["key"]][1], line)
        while self.queue or self.suspects or self.running:
            self._submit()
            done, _ = wait(self.running, return_when=FIRST_COMPLETED)
            for future in done:
                self._finish(future)
        self.store.write_results(self.plan.heads())

    def _submit(self) -> None:
        if self.suspects:
            if not self.running:
                self._start(self.suspects.popleft(), alone=True)
            return
        while self.queue and len(self.running) < self.workers.slots:
            self._start(self.queue.popleft(), alone=False)

    def _start(self, task: CellTask, alone: bool) -> None:
        future = self.workers.submit(task, self.values.get(_test_of(task)))
        self.running[future] = (task, alone)
        self.watcher.started(task)

    def _finish(self, future: Future[CellOutcome]) -> None:
        task, alone = self.running.pop(future)
        error = future.exception()
        if isinstance(error, BrokenExecutor) and not alone:
            self.suspects.append(task)
            return
        outcome = future.result() if error is None else CellOutcome(None, _fault(task, error), {}, {})
        experiment, first = self.plan.tasks[task.key]
        line = {**_head(experiment, first), **_body(task, outcome)}
        self.store.append(line)
        self._learn(task, line)
        self.watcher.finished(task, line)

    def _learn(self, task: CellTask, line: Line) -> None:
        result = line["result"]
        found = {} if result is None else ann_values_of(result)
        if found:
            self.values[_test_of(task)] = found


def _entry(experiment: Experiment, tasks: Sequence[CellTask]) -> ExperimentRecord:
    return ExperimentRecord(
        experiment.name,
        experiment.title,
        experiment.note,
        experiment.source,
        experiment.kind,
        experiment.rows,
        experiment.columns,
        experiment.published,
        cells=tuple(task.key for task in tasks),
        axes=tuple(task.cell.axes for task in tasks),
    )


def _head(experiment: Experiment, task: CellTask) -> Line:
    axes = dict(task.cell.axes)
    return {"schema": SCHEMA, "key": task.key, "experiment": experiment.name, "axes": axes}


def _body(task: CellTask, outcome: CellOutcome) -> Line:
    return {
        "status": OK if outcome.result is not None else FAILED,
        "error": [asdict(diagnostic) for diagnostic in outcome.errors] or None,
        "result": outcome.result,
        "rerun": record(task),
        "host": outcome.host,
        "cost": outcome.cost,
    }


def _test_of(task: CellTask) -> tuple[Any, ...]:
    setup, files = task.cell.setup, task.files
    hashes = files.model.sha256, files.data.sha256
    return *hashes, setup.input_shape, setup.data, setup.kinds, setup.frames


def _fault(task: CellTask, error: BaseException) -> tuple[Diagnostic, ...]:
    """Return the diagnostic of a cell that ended with neither a result nor a diagnostic."""
    if isinstance(error, BrokenExecutor):
        what, advice = "its process died", "perhaps out of memory: use fewer --workers, or a smaller model"
    else:
        what, advice = f"{type(error).__name__}: {error}", "report it, with the cell's command"
    return fail("KG623", str(task.cell), what, advice).diagnostics


# ---- where cells run


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
