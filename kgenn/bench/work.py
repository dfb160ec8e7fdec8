"""Run one cell: convert, build, evaluate, on one thread of NumPy."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from kgenn.artifact.directory import Artifact
from kgenn.backends import TARGETS
from kgenn.backends.cpp import toolchain
from kgenn.backends.simulate import simulate
from kgenn.bench.examples import raster_of, shown_of
from kgenn.bench.files import Ports, memory_of, model_of, on_average, samples_of, values_of
from kgenn.bench.rerun import CellTask
from kgenn.compiled import CompiledNetwork
from kgenn.conversion.timed import timesteps_for
from kgenn.convert_model import Converted, convert_model
from kgenn.data.errors import of_file
from kgenn.data.load import Data
from kgenn.diagnostics import Diagnostic, KgennError, KgennWarning, fail
from kgenn.ir.graph import Graph
from kgenn.metrics.output_result import finite
from kgenn.metrics.result import Result
from kgenn.registry import extra


class ProcessSettings:
    """NumPy on one thread, and no kgenn warning printed (a cell's result holds them).

    Both belong to the process. The first cell makes the settings and the last one takes them back, so that a cell
    that ends does not change the order of another one's sums.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._running = 0
        self._made = ExitStack()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the settings for one cell.

        Raises:
            KgennError: KG508 where threadpoolctl is not installed.
        """
        limits = extra("threadpoolctl", "bench").threadpool_limits
        with self._lock:
            if not self._running:
                self._made.enter_context(limits(1))
                self._made.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore", KgennWarning)
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                if not self._running:
                    self._made.close()


SETTINGS = ProcessSettings()


@cache
def host(target: str) -> dict[str, Any]:
    """Return the processor, the graphics card where the target uses one, and versions."""
    return {
        "cpu": processor_name(),
        **({"gpu": gpu_name()} if "cuda" in target else {}),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "compiler": compiler_version(),
    }


def processor_name() -> str:
    """Return the processor's name where the system tells it, or else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def gpu_name() -> str | None:
    """Return the name of the first graphics card, or None."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    query = [tool, "--query-gpu=name", "--format=csv,noheader"]
    lines = subprocess.run(query, capture_output=True, text=True, check=False).stdout.splitlines()
    return lines[0].strip() if lines else None


def compiler_version() -> str | None:
    """Return the first line of what the C++ compiler says of itself; None where there is none."""
    try:
        lines = toolchain().compiler().version.splitlines()
    except KgennError:
        return None
    return lines[0] if lines else None


# Of a run's figures, those that differ from run to run, and the ANN on the integer grid: the model's own is there.
LEFT_OUT = ("wall_seconds", "cpu_seconds", "kernel_seconds", "ann")


@dataclass(frozen=True)
class CellOutcome:
    """What a cell gave.

    Attributes:
        result: the figures; None where it failed.
        errors: the diagnostics of a failure.
        host: what it ran on.
        cost: seconds, by what they were spent on.
    """

    result: dict[str, Any] | None
    errors: tuple[Diagnostic, ...]
    host: dict[str, Any]
    cost: dict[str, float]


def run_cell(task: CellTask, ann_values: Mapping[str, float] | None = None) -> CellOutcome:
    """Convert, build and run one cell, on one thread of NumPy.

    Args:
        ann_values: of outputs, the metric of the model on the same samples, where they are known.
    """
    start = time.perf_counter()
    result: dict[str, Any] | None = None
    errors: tuple[Diagnostic, ...] = ()
    cost: dict[str, float] = {}
    with SETTINGS.held():
        try:
            result, cost = _run(task, ann_values)
        except KgennError as error:
            errors = error.diagnostics
        except MemoryError:
            errors = fail("KG608", str(task.cell), "ran out of memory", "use fewer --workers").diagnostics
    cost["total_seconds"] = time.perf_counter() - start
    return CellOutcome(result, errors, host(task.cell.setup.target), cost)


def _run(task: CellTask, ann_values: Mapping[str, float] | None) -> tuple[dict[str, Any], dict[str, float]]:
    setup, files = task.cell.setup, task.files
    clock = Clock()
    graph = model_of(files.model, setup.input_shape)
    ports = Ports.of(graph, setup.frames)
    test = samples_of(files.data, setup.data.split, setup.data.limit, setup.data.scale, ports)
    converted = _converted(task, graph, ports)
    clock.stop("convert_seconds")
    network, found = converted.network(), converted.found
    simulator = TARGETS.get(setup.target)().load(network, None, task.run)
    compiled = CompiledNetwork(Artifact(network, setup.target), simulator)
    compiled.prepare(len(test.x))
    clock.stop("build_seconds")
    kinds: dict[str, Any] = setup.kinds.to_dict()
    with of_file(files.data.path, test):
        result = compiled.evaluate(test.x, test.y, **kinds)
        result = compiled.with_ann(test.x, test.y, result, setup.ann_samples, **kinds)
    if ann_values is None:
        ann_values = values_of(files, setup)
    figures = {
        **_figures(result, ann_values),
        "warnings": [d.to_dict() for d in (*network.warnings, *test.warnings, *result.warnings)],
        "neurons": sum(p.size for p in network.hidden),
        "layers": _layers(compiled, result, test.limited(setup.layer_samples)),
        "raster": raster_of(compiled, test.x[:1]),
        **_shown(compiled, test, result, kinds),
    }
    if found is not None:
        figures["timesteps_found"], figures["calibration_loss"] = found.timesteps, round(found.loss, 6)
    return figures, {"wall_seconds": result.wall_seconds, "cpu_seconds": result.cpu_seconds, **clock.seconds}


def _shown(compiled: CompiledNetwork, test: Data, result: Result, kinds: dict[str, Any]) -> dict[str, Any]:
    """Return the entry for outputs that are maps or signals, where there are any."""
    found = [shown.to_json() for shown in shown_of(compiled, test, result, kinds)]
    return {"shown": found} if found else {}


def _figures(result: Result, ann_values: Mapping[str, float]) -> dict[str, Any]:
    """Return the figures of a run, and those of the model beside them, of each output where there are several."""
    found = {name: value for name, value in result.to_dict(curve=True).items() if name not in LEFT_OUT}
    first = ann_values.get(next(iter(result.outputs)), ann_values.get(""))
    found["ann_accuracy"] = first if result.metric == "accuracy" else None
    found["ann_value"] = finite(first)
    for name, own in found.get("outputs", {}).items():
        own["ann_value"] = finite(ann_values.get(name))
    return found


class Clock:
    """Wall-clock time of one step after the other."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def stop(self, name: str) -> None:
        """Note the time since the last step under a name."""
        now = time.perf_counter()
        self.seconds[name], self._last = now - self._last, now


def _converted(task: CellTask, graph: Graph, ports: Ports) -> Converted:
    setup, calibration = task.cell.setup, task.cell.setup.calibration
    file, scale = task.files.calibration, setup.data.scale
    data = on_average(samples_of(file, calibration.split, calibration.samples, scale, ports), ports)
    memory = memory_of(task.files.model, setup.input_shape, file, calibration, scale, setup.frames)
    own_simulate = partial(simulate, threads=task.run.threads)
    chosen = setup.kinds.choices(ports.outputs)
    steps = timesteps_for(data.frames, setup.recipe, setup.timesteps)
    # a cell is measured on test data, and its layers too
    with of_file(file.path, data):
        return convert_model(
            graph, setup.recipe, data, steps, own_simulate, memory.memoise, check=False, chosen=chosen
        )


def _layers(compiled: CompiledNetwork, result: Result, few: Data) -> list[dict[str, Any]]:
    """Return the spikes of each hidden population, and its error on a few samples.

    The last digits of an error follow how the library of linear algebra shares its work: they are left out.
    """
    errors = {e.population: asdict(e) for e in compiled.compare(few.x).layers} if len(few.x) else {}
    rows = []
    for p in compiled.network.hidden:
        found = errors.get(p.name, {})
        error = {name: round(value, 9) for name, value in found.items() if isinstance(value, float)}
        more = {name: error.get(name) for name in ("own", "saturated")}
        row = {"name": p.name, "neurons": p.size, "spikes_per_neuron": result.spikes[p.name] / p.size}
        rows.append({**row, "error": error.get("relative"), **more})
    return rows
