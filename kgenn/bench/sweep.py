"""Run a sweep: cells that are not finished yet go to the workers, and what comes back to the results directory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Protocol

from kgenn.bench.experiment import Experiment
from kgenn.bench.json_object import SCHEMA
from kgenn.bench.rerun import CellTask, record
from kgenn.bench.rows import FAILED, OK, ExperimentRecord, ann_values_of
from kgenn.bench.store import Line, Store
from kgenn.bench.work import CellOutcome
from kgenn.bench.workers import Workers
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
