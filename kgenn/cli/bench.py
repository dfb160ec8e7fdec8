"""`kgenn bench`: the sweeps of benchmark configurations."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import click

from kgenn.backends.base import RunOptions
from kgenn.bench import against
from kgenn.bench.config import read_configs
from kgenn.bench.experiment import Cell, Experiment
from kgenn.bench.files import Library, Shelf
from kgenn.bench.rerun import tasks_of
from kgenn.bench.rows import FAILED, measured, outputs_of
from kgenn.bench.store import Line, opened, read_lines
from kgenn.bench.sweep import Plan, Sweep
from kgenn.bench.workers import Workers, cluster, num_cores, processes
from kgenn.cli.bench_display import display
from kgenn.cli.console import print_diagnostics, print_line, print_table
from kgenn.cli.options import PATH
from kgenn.diagnostics import Diagnostic, KgennError
from kgenn.tasks.metric import title, written


@click.command()
@click.argument("configs", type=PATH, nargs=-1, required=True, metavar="CONFIG.toml…")
@click.option("-o", "--output", type=PATH, metavar="RESULTS", help="The directory of results; it may have some.")
@click.option("--models", multiple=True, metavar="DIR|NAME=FILE", help="Where models are that are named.")
@click.option("--data", multiple=True, metavar="DIR|NAME=FILE", help="Where data sets are that are named.")
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N", help="Processes.  [default: one for each core]"
)
@click.option("--dask", metavar="ADDRESS", help="Run on the Dask cluster of this scheduler instead.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Of each simulation.")
@click.option("--genn-python", metavar="FILE", help="The Python interpreter that has pygenn.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Take at most the first N test samples.")
@click.option("--retry-failed", is_flag=True, help="Run cells again that failed.")
@click.option("--dry-run", is_flag=True, help="List the cells, and run none.")
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
) -> None:
    """Run the sweeps of benchmark configurations.

    Each CONFIG.toml names models, data and lists of options; each combination is a cell. A model that is named is
    NAME.h5 or NAME.keras in a directory of --models; a data set NAME.npz in one of --data, or one of
    keras.datasets where Keras is installed.

    A finished cell is a line of RESULTS/cells.jsonl at once. The same command goes on where the last one ended,
    however it ended. When all cells are finished, RESULTS/results.jsonl has them in order.
    """
    if dask is not None and workers is not None:
        raise click.UsageError("--workers is of processes on this machine; a Dask cluster has workers of its own")
    experiments = read_configs(configs, limit)
    library = Library(Shelf.of(models), Shelf.of(data))
    run = RunOptions(threads, genn_python)
    if dry_run:
        _print_cells(experiments, library, run, output)
        return
    if output is None:
        raise click.UsageError("Missing option '-o' / '--output'.")
    library.look_up(experiments)
    plan = Plan([(experiment, tasks_of(experiment, library, run)) for experiment in experiments])
    with opened(output) as store:
        left = plan.left(store.lines, retry_failed)
        place: AbstractContextManager[Workers] = (
            processes(min(workers or num_cores(), max(len(left), 1))) if dask is None else cluster(dask)
        )
        with place as hands, display(len(plan.tasks), len(left)) as watcher:
            Sweep(plan, store, hands, watcher).run(left)
        lines = [store.lines[key] for key in plan.tasks]
    _print_results(lines, output)


def _print_cells(
    experiments: Sequence[Experiment], library: Library, run: RunOptions, output: Path | None
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
    for experiment in experiments:
        print_line(f"{experiment.name}: {experiment.title}")
        keys = ["–"] * len(experiment.cells)
        if not missing:
            keys = [task.key for task in tasks_of(experiment, library, run)]
        states = [str(lines[key]["status"]) if key in lines else "to run" for key in keys]
        names = list(dict.fromkeys(name for cell in experiment.cells for name in cell.axes))
        rows = [
            (key, state, *_values(cell, names))
            for key, state, cell in zip(keys, states, experiment.cells, strict=True)
        ]
        print_table(("key", "state", *names), rows)
    print_line(_cells(sum(len(experiment.cells) for experiment in experiments)))
    for diagnostic in missing:
        print_line(f"note: {diagnostic.where} {diagnostic.what}; {diagnostic.help}")


def _values(cell: Cell, names: Sequence[str]) -> list[str]:
    return [_text(cell.axes.get(name)) for name in names]


def _text(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _print_results(lines: Sequence[Line], output: Path) -> None:
    """Print the figures, and end with the exit code of the failures.

    Raises:
        click.exceptions.Exit: where a cell failed.
    """
    names = list(dict.fromkeys(name for line in lines for name in line["axes"]))
    found = [line["result"] for line in lines if line["result"] is not None]
    outputs = list(dict.fromkeys(name for result in found for name in outputs_of(result)))
    columns = list(names)
    for name in outputs:
        metrics = {measured(outputs_of(result)[name])[0] for result in found if name in outputs_of(result)}
        one = title(next(iter(metrics))) if len(metrics) == 1 else "metric"
        columns += [f">{one} of {name}" if name else f">{one}", f">{against.heading(metrics)}"]
    columns += [">spikes per neuron"]
    rows = [(*(_text(line["axes"].get(name)) for name in names), *_figures(line, outputs)) for line in lines]
    print_table(columns, rows)
    failed = [line for line in lines if line["status"] == FAILED]
    found = [Diagnostic(**entry) for line in failed for entry in line["error"]]
    results = [line["result"] for line in lines if line["result"] is not None]
    print_diagnostics(Diagnostic.from_dict(entry) for result in results for entry in result.get("warnings", ()))
    print_diagnostics(found)
    more = f", {len(failed):,} failed" if failed else ""
    print_line(f"{output}: {_cells(len(lines))}{more}")
    if found:
        raise click.exceptions.Exit(KgennError(found).exit_code)


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
        words += [_in_words(metric, value), against.in_words(metric, [(value, own)])]
    return *words, f"{result['spikes_per_neuron']:.3f}"


def _in_words(metric: str, value: float | None) -> str:
    """Return the value of a metric; a dash where there is none."""
    return "–" if value is None else written(metric, value)
