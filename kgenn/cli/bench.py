"""`kgenn bench`: the sweeps of benchmark configurations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from kgenn.backends.base import RunOptions
from kgenn.bench.config import read_configs
from kgenn.bench.experiment import Experiment
from kgenn.bench.files import FileSearch, Library
from kgenn.bench.rerun import tasks_of
from kgenn.bench.rows import FAILED, measured, outputs_of
from kgenn.bench.store import Line, opened, read_lines
from kgenn.bench.sweep import Sweep, SweepPlan, Workers, cluster, num_cores, processes
from kgenn.cli.bench_display import display
from kgenn.cli.console import print_diagnostics, print_json, print_line, print_table
from kgenn.cli.options import PATH, json_flag
from kgenn.diagnostics import Diagnostic, KgennError
from kgenn.tasks.metric import compared, comparison_title, title, written


@click.command()
@click.argument("configs", type=PATH, nargs=-1, required=True, metavar="CONFIG.toml…")
@click.option("-o", "--output", type=PATH, metavar="RESULTS", help="Directory of results; keeps existing ones.")
@click.option("--models", multiple=True, metavar="DIR|NAME=FILE", help="Folder of models, or the file of one.")
@click.option("--data", multiple=True, metavar="DIR|NAME=FILE", help="Folder of data sets, or the file of one.")
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N", help="Number of processes.  [default: one per core]"
)
@click.option("--dask", metavar="ADDRESS", help="Run on the Dask cluster of this scheduler.")
@click.option(
    "--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads per simulation."
)
@click.option("--genn-python", metavar="FILE", help="The Python interpreter that has pygenn.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Use at most the first N test samples.")
@click.option("--retry-failed", is_flag=True, help="Rerun cells that failed.")
@click.option("--dry-run", is_flag=True, help="List the cells without running them.")
@json_flag
def bench(
    configs: tuple[Path, ...],
    output: Path | None,
    models: tuple[str, ...],
    data: tuple[str, ...],
    workers: int | None,
    dask: str | None,
    threads: int,
    genn_python: str | None,
    limit: int | None,
    retry_failed: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Run the sweeps of benchmark configurations.

    Each CONFIG.toml names models, data and lists of options; each combination is a cell. A model is a path, or a
    name that stands for NAME.h5 or NAME.keras in a folder of --models. A data set is a path, a name that stands
    for NAME.npz in a folder of --data, or one of keras.datasets if Keras is installed.

    Each cell is appended to RESULTS/cells.jsonl as soon as it finishes. Rerun the command to resume. When all
    cells are finished, RESULTS/results.jsonl has them in order.
    """
    if dask is not None and workers is not None:
        raise click.UsageError("--workers sets processes on this machine; a Dask cluster has its own workers")
    experiments = read_configs(configs, limit)
    library = Library(FileSearch.of(models), FileSearch.of(data))
    run = RunOptions(threads, genn_python)
    if dry_run:
        _print_cells(experiments, library, run, output, as_json)
        return
    if output is None:
        raise click.UsageError("Missing option '-o' / '--output'.")
    library.look_up(experiments)
    plan = SweepPlan([(experiment, tasks_of(experiment, library, run)) for experiment in experiments])
    with opened(output) as store:
        left = plan.left(store.lines, retry_failed)
        place: AbstractContextManager[Workers] = (
            processes(min(workers or num_cores(), max(len(left), 1))) if dask is None else cluster(dask)
        )
        with place as hands, display(len(plan.tasks), len(left)) as watcher:
            Sweep(plan, store, hands, watcher).run(left)
        lines = [store.lines[key] for key in plan.tasks]
    if as_json:
        print_json({"directory": str(output), "cells": [_to_json(line) for line in lines]})
    else:
        _print_results(lines)
    _print_end(lines, output, quiet=as_json)


def _print_cells(
    experiments: Sequence[Experiment], library: Library, run: RunOptions, output: Path | None, as_json: bool
) -> None:
    """List the cells, with their keys where the files are at hand."""
    missing: tuple[Diagnostic, ...] = ()
    try:
        library.look_up(experiments, fetch=False)
    except KgennError as error:
        missing = error.diagnostics
    lines: dict[str, Line] = {}
    with suppress(FileNotFoundError):
        lines = read_lines(output) if output is not None else {}
    listed: dict[str, list[dict[str, Any]]] = {}
    for experiment in experiments:
        keys: list[str | None] = [None] * len(experiment.cells)
        if not missing:
            keys = [task.key for task in tasks_of(experiment, library, run)]
        listed[experiment.name] = [
            {"key": key, "state": str(lines[key]["status"]) if key in lines else "to run", "axes": dict(cell.axes)}
            for key, cell in zip(keys, experiment.cells, strict=True)
        ]
    if as_json:
        print_json({"experiments": listed, "missing": [diagnostic.to_dict() for diagnostic in missing]})
        return
    for experiment in experiments:
        print_line(f"{experiment.name}: {experiment.title}")
        names = list(dict.fromkeys(name for cell in experiment.cells for name in cell.axes))
        cells = listed[experiment.name]
        rows = [(c["key"] or "–", c["state"], *(_text(c["axes"].get(name)) for name in names)) for c in cells]
        print_table(("key", "state", *names), rows)
    print_line(_cells(sum(len(experiment.cells) for experiment in experiments)))
    for diagnostic in missing:
        print_line(f"note: {diagnostic.where} {diagnostic.what}; {diagnostic.help}")


def _to_json(line: Line) -> dict[str, Any]:
    return {name: line[name] for name in ("key", "status", "axes", "result", "error")}


def _text(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _print_results(lines: Sequence[Line]) -> None:
    """Print the figures."""
    names = list(dict.fromkeys(name for line in lines for name in line["axes"]))
    found = [line["result"] for line in lines if line["result"] is not None]
    outputs = list(dict.fromkeys(name for result in found for name in outputs_of(result)))
    columns = list(names)
    for name in outputs:
        metrics = {measured(outputs_of(result)[name])[0] for result in found if name in outputs_of(result)}
        one = title(next(iter(metrics))) if len(metrics) == 1 else "metric"
        columns += [f">{one} of {name}" if name else f">{one}", f">{comparison_title(metrics)}"]
    columns += [">spikes per neuron"]
    rows = [(*(_text(line["axes"].get(name)) for name in names), *_figures(line, outputs)) for line in lines]
    print_table(columns, rows)


def _print_end(lines: Sequence[Line], output: Path, quiet: bool) -> None:
    """Print the warnings, and the failures model by model; end with the exit code of the failures.

    Raises:
        click.exceptions.Exit: where a cell failed.
    """
    results = [line["result"] for line in lines if line["result"] is not None]
    print_diagnostics(Diagnostic.from_dict(entry) for result in results for entry in result.get("warnings", ()))
    failed = [line for line in lines if line["status"] == FAILED]
    found = [diagnostic for line in failed for diagnostic in _errors(line)]
    print_diagnostics(found)
    more = f", {len(failed):,} failed" if failed else ""
    if not quiet:
        print_line(f"{output}: {_cells(len(lines))}{more}")
    if found:
        raise click.exceptions.Exit(KgennError(found).exit_code)


def _errors(line: Line) -> Iterator[Diagnostic]:
    """Yield why a cell failed, with its model."""
    for diagnostic in (Diagnostic(**entry) for entry in line["error"]):
        model = line["axes"].get("model")
        yield diagnostic if model is None else replace(diagnostic, where=f"model {model}: {diagnostic.where}")


def _cells(count: int) -> str:
    return f"{count:,} cell{'s' if count != 1 else ''}"


def _figures(line: Line, outputs: Sequence[str]) -> tuple[str, ...]:
    """Return the figures of a cell: of each output the metric, alone and against the model's; then the spikes."""
    result = line["result"]
    if result is None:
        return "failed", *[""] * (2 * len(outputs))
    words: list[str] = []
    for output in outputs:
        metric, value, own = measured(outputs_of(result).get(output, {}))
        words += [_in_words(metric, value), compared(metric, [(value, own)])]
    return *words, f"{result['spikes_per_neuron']:.3f}"


def _in_words(metric: str, value: float | None) -> str:
    """Return the value of a metric; a dash where there is none."""
    return "–" if value is None else written(metric, value)
