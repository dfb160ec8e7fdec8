"""Workers that die, that fail, and that share what they computed."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import threadpoolctl

from covering import leading
from kgenn.backends.base import RunOptions
from kgenn.backends.simulate import simulate
from kgenn.bench.config import read_configs
from kgenn.bench.files import File, FileSearch, Library, Memory, unchanged
from kgenn.bench.rerun import CellTask, tasks_of
from kgenn.bench.store import Line, opened
from kgenn.bench.sweep import Sweep, SweepPlan, Workers, processes
from kgenn.bench.work import CellOutcome, ProcessSettings, run_cell
from kgenn.conversion import CONVERTERS
from kgenn.conversion.base import Memoise, uncached
from kgenn.conversion.convert import convert_graph
from kgenn.conversion.recipe import recipe_of
from kgenn.diagnostics import KgennError
from kgenn.files.checksums import sha256_of
from kgenn.frontend import load
from kgenn.ir.serialise import npz_bytes, to_plain
from kgenn.registry import extra
from sweeps import CALIBRATION, MODEL, TINY, written


@pytest.fixture
def plan(tmp_path: Path) -> SweepPlan:
    """Return four cells."""
    (experiment,) = read_configs([written(tmp_path, TINY.replace("[1, 2]", "[1, 2, 3, 4]"))])
    library = Library(FileSearch(), FileSearch())
    library.look_up([experiment])
    return SweepPlan([(experiment, tasks_of(experiment, library, RunOptions(1)))])


class Quiet:
    """Watch and say nothing."""

    def started(self, task: CellTask) -> None:
        """Say nothing."""

    def finished(self, task: CellTask, line: Line) -> None:
        """Say nothing."""


class Stub(Workers):
    """Workers that finish all but the first cell at once, and die or raise at a number of timesteps."""

    def __init__(self, deadly: int, faulty: int) -> None:
        self.deadly, self.faulty = deadly, faulty
        self.under_way: list[Future[CellOutcome]] = []
        self.runs: list[int] = []

    @property
    def slots(self) -> int:
        return 3

    def submit(self, task: CellTask, ann_values: Mapping[str, float] | None) -> Future[CellOutcome]:
        future: Future[CellOutcome] = Future()
        steps = task.cell.axes["timesteps"]
        self.runs.append(steps)
        self.under_way.append(future)
        if steps == self.deadly:  # a death takes all along that is under way
            for other in self.under_way:
                other.set_exception(BrokenProcessPool())
            self.under_way = []
        elif steps == self.faulty:
            future.set_exception(AssertionError("what must not be"))
        elif len(self.runs) > 1:
            self.under_way.remove(future)
            future.set_result(CellOutcome({"ann_accuracy": 1.0}, (), {}, {}))
        return future


def test_a_cell_that_its_process_died_of_is_told_from_those_beside_it(plan: SweepPlan, tmp_path: Path) -> None:
    workers = Stub(deadly=2, faulty=4)
    with opened(tmp_path / "results") as store:
        Sweep(plan, store, workers, Quiet()).run(plan.left({}, False))
        assert sorted(workers.runs) == [1, 1, 2, 2, 3, 4]
        lines = {line["axes"]["timesteps"]: line for line in store.lines.values()}
    assert {steps: line["status"] for steps, line in lines.items()} == {1: "ok", 2: "failed", 3: "ok", 4: "failed"}
    assert [lines[steps]["error"][0]["code"] for steps in (2, 4)] == ["KG623", "KG623"]
    assert "its process died" in lines[2]["error"][0]["what"]
    assert "AssertionError: what must not be" in lines[4]["error"][0]["what"]


class Deadly:
    """End the process that unpickles it."""

    def __reduce__(self) -> tuple[Callable[[int], Any], tuple[int]]:
        return os._exit, (1,)


@pytest.mark.slow
def test_other_processes_take_the_place_of_one_that_died(plan: SweepPlan) -> None:
    task = next(iter(plan.tasks.values()))[1]
    with processes(1) as workers:
        died: Any = workers.submit(Deadly(), None)  # type: ignore[arg-type]
        assert isinstance(died.exception(60), BrokenProcessPool)
        assert workers.submit(task, {"": 0.5}).result(60).result is not None


def test_what_is_known_of_a_model_is_not_computed_again(plan: SweepPlan) -> None:
    task = next(iter(plan.tasks.values()))[1]
    told = run_cell(task, {"": 0.25})
    assert told.result is not None
    assert told.result["ann_accuracy"] == 0.25


# spike-norm compiles a program for each layer; threshold-relu takes another model
QUICK = sorted(set(CONVERTERS.names()) - {"spike-norm", "threshold-relu"})


@pytest.mark.parametrize("name", leading([*QUICK, pytest.param("spike-norm", marks=pytest.mark.slow)]))
def test_conversions_that_share_statistics_give_the_networks_of_those_that_do_not(name: str) -> None:
    graph, memory = load(MODEL), Memory()
    with np.load(CALIBRATION) as data:
        samples = (data["x"][:32, ..., None] / 255).astype(np.float32)
    converter = CONVERTERS.get(name)()
    keys: list[Hashable] = []

    def memoise(key: Hashable, compute: Callable[[], Any]) -> Any:
        keys.append(key)
        return memory.memoise(key, compute)

    def network(steps: int, recalled: Memoise) -> tuple[Any, bytes]:
        made = convert_graph(graph, recipe_of(converter), samples, steps, simulate, recalled)
        plain, arrays = to_plain(made.network)
        return plain, npz_bytes(arrays)

    for steps in (4, 4, 6):
        assert network(steps, memoise) == network(steps, uncached)
    assert len(memory.values) < len(keys)


def test_a_file_that_changed_during_a_sweep_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    path.write_bytes(b"one")
    file = File(path, sha256_of(path))
    assert unchanged(file) is file
    path.write_bytes(b"two")
    with pytest.raises(KgennError, match="has changed since the sweep began"):
        unchanged(file)


def test_a_package_that_is_missing_is_named_with_the_extra_that_brings_it() -> None:
    with pytest.raises(KgennError, match=r"kg508_no_such_module.*\n.*kgenn\[dask\]") as caught:
        extra("kg508_no_such_module", "dask")
    assert caught.value.exit_code == 3


def test_a_cell_that_ends_leaves_the_settings_of_another() -> None:
    def most() -> int:
        return max(pool["num_threads"] for pool in threadpoolctl.threadpool_info())

    settings = ProcessSettings()
    with threadpoolctl.threadpool_limits(2), warnings.catch_warnings():
        filters = list(warnings.filters)
        with settings.held():
            with settings.held():
                assert most() == 1
            assert most() == 1
            assert warnings.filters != filters
        assert most() == 2
        assert warnings.filters == filters
