"""Write the cells of a sweep as CSV: one row for each, all axes and figures."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

from kgenn.bench.rows import ExperimentRecord, OutputFigures, ResultRecord, Row
from kgenn.report.sweep.axes import names_of
from kgenn.report.sweep.costs import entry, graded, joules, twin_value
from kgenn.report.sweep.results import Results

# A spreadsheet takes a text that starts so for a formula, and would compute what a file's author wrote.
FORMULA = ("=", "+", "-", "@", "\t", "\r")

FIGURES: dict[str, Callable[[ResultRecord], Any]] = {
    "accuracy": lambda r: r.accuracy,
    "ann_accuracy": lambda r: r.ann_accuracy,
    "metric": lambda r: r.metric,
    "value": lambda r: r.value,
    "ann_value": lambda r: r.ann_value,
    "share_of_ann_value": lambda r: r.share,
    "difference_to_ann_value": lambda r: r.difference,
    "num_samples": lambda r: r.num_samples,
    "num_timesteps": lambda r: r.num_timesteps,
    "timesteps_found": lambda r: r.timesteps_found,
    "spikes_per_neuron": lambda r: r.spikes_per_neuron,
    "synaptic_operations": lambda r: r.synaptic_operations,
    "direct_macs": lambda r: r.others.get("direct_macs"),
    "ann_macs": lambda r: r.ann_macs,
    "graded_spikes": graded,
    "snn_joules": lambda r: entry(r.others.get("energy"), "snn_joules"),
    "ann_joules": lambda r: entry(r.others.get("energy"), "ann_joules"),
    "snn_integer_joules": lambda r: joules(r, "snn", "integer"),
    "snn_memory_joules": lambda r: joules(r, "snn", "memory"),
    "twin_bits": lambda r: entry(r.others.get("twin"), "bits"),
    "twin_samples": lambda r: entry(r.others.get("twin"), "num_samples"),
    "twin_value": twin_value,
    "twin_macs": lambda r: entry(r.others.get("twin"), "macs"),
    "twin_integer_joules": lambda r: joules(r, "twin", "integer"),
    "twin_memory_joules": lambda r: joules(r, "twin", "memory"),
}
# Of each output, where there are several.
OUTPUT_FIGURES = ("metric", "value", "ann_value", "share", "difference")
COSTS = ("wall_seconds", "cpu_seconds", "convert_seconds", "build_seconds", "total_seconds")
PUBLISHED = ("ann", "accuracy", "spikes_per_neuron", "synaptic_operations")


def cells_csv(results: Results) -> bytes:
    """Return the CSV, UTF-8; accuracies are shares, 0 to 1, as in the rows; published ones are in %."""
    axes = names_of(row for e in results.experiments for row in results.finished(e))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    published = [f"published_{name}" for name in PUBLISHED]
    every = [r for e in results.experiments for r in results.finished(e) if r.result is not None]
    outputs = list(dict.fromkeys(output.name for r in every if r.result for output in r.result.outputs))
    own = [f"{figure} of {name}" for name in outputs for figure in OUTPUT_FIGURES]
    heading = ["experiment", "key", "status", *axes, *FIGURES, *own, *COSTS, *published]
    writer.writerow(map(_safe, [*heading, "error", "model_file", "model_sha256", "kgenn", "command"]))
    for experiment in results.experiments:
        for row in results.finished(experiment):
            writer.writerow(map(_safe, _cells(experiment, row, axes, outputs)))
    return buffer.getvalue().encode()


def _cells(experiment: ExperimentRecord, row: Row, axes: list[str], outputs: list[str]) -> list[Any]:
    result, model = row.result, row.rerun.get("model")
    known = next((p for p in experiment.published if p.matches(row.axes)), None)
    return [
        experiment.name,
        row.key,
        row.status,
        *(row.axes.get(name) for name in axes),
        *(None if result is None else figure(result) for figure in FIGURES.values()),
        *(getattr(_output(result, name), figure, None) for name in outputs for figure in OUTPUT_FIGURES),
        *(row.cost.get(name) for name in COSTS),
        *(None if known is None else getattr(known, name) for name in PUBLISHED),
        " ".join(failure.code for failure in row.error),
        entry(model, "file"),
        entry(model, "sha256"),
        row.rerun.get("kgenn"),
        " && ".join(commands_of(row)),
    ]


def _output(result: ResultRecord | None, name: str) -> OutputFigures | None:
    """Return the figures of one of several outputs; None where a cell has none."""
    found = () if result is None else result.outputs
    return next((output for output in found if output.name == name), None)


def commands_of(row: Row) -> list[str]:
    """Return the command lines that give a cell again."""
    command = row.rerun.get("command")
    return [str(line) for line in (command if isinstance(command, list) else [command]) if line]


def _safe(value: Any) -> Any:
    """Return a value as a cell; a text that a spreadsheet would compute gets an apostrophe before it."""
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return ("true" if value else "false") if isinstance(value, bool) else value
