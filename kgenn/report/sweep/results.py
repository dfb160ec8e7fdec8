"""Read the results directory of `kgenn bench`, and write its cells as CSV, a row for each."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kgenn.bench.json_object import JsonPath, Object, parse
from kgenn.bench.rows import ExperimentRecord, OutputFigures, ResultRecord, Row
from kgenn.bench.store import CELLS, RESULTS, SWEEP
from kgenn.diagnostics import KgennError, fail
from kgenn.report.sweep.cells import entry, graded, joules, names_of, twin_value

# The first that is there is read; the second has no host and no cost.
ROWS = (CELLS, RESULTS)
ADVICE = "give the output directory of kgenn bench"


@dataclass(frozen=True)
class Results:
    """A sweep and its finished cells.

    Attributes:
        experiments: in the order of the sweep.
        rows: each finished cell by its key; of a cell that ran twice, the last.
        hashes: the SHA-256 of each file that was read.
        notes: what was left out, for the reader.
    """

    experiments: tuple[ExperimentRecord, ...]
    rows: Mapping[str, Row]
    hashes: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def finished(self, experiment: ExperimentRecord) -> tuple[Row, ...]:
        """Return the finished cells of an experiment, in the order of the sweep, with their axes there."""
        axes = experiment.axes or [None] * len(experiment.cells)
        pairs = [(self.rows[k], own) for k, own in zip(experiment.cells, axes, strict=True) if k in self.rows]
        return tuple(row if own is None else replace(row, axes=own) for row, own in pairs)


def read_results(directory: Path) -> Results:
    """Read a results directory, of a sweep that is finished or still under way.

    Raises:
        KgennError: KG630 where it is none, KG631 where a file is damaged. A last line that was cut off is not
            damage: it is a cell that a killed run had not finished writing.
    """
    sweep, rows_path = directory / SWEEP, next((p for n in ROWS if (p := directory / n).is_file()), None)
    if rows_path is None or not sweep.is_file():
        raise fail("KG630", str(directory), f"has no {SWEEP} and {' or '.join(ROWS)}", ADVICE)
    texts = {path: _read(path) for path in (sweep, rows_path)}
    place = JsonPath(str(sweep))
    top = Object.of(parse(_text(texts[sweep], sweep), place), place)
    top.check_schema()
    experiments = top.list("experiments", ExperimentRecord.from_json)
    rows, torn = _rows(texts[rows_path], rows_path)
    known = {key for experiment in experiments for key in experiment.cells}
    others = sum(key not in known for key in rows)
    notes = [f"{rows_path.name} ends in a line that was cut off; it was left out"] if torn else []
    notes += [f"{others} finished cells belong to no experiment of {SWEEP}"] if others else []
    hashes = {path.name: hashlib.sha256(content).hexdigest() for path, content in texts.items()}
    return Results(experiments, rows, hashes, tuple(notes))


def _rows(content: bytes, path: Path) -> tuple[dict[str, Row], bool]:
    """Return the rows by key, and whether the last line was torn."""
    *lines, rest = content.split(b"\n")
    rows, torn = {}, False
    for number, line in enumerate([*lines, rest] if rest else lines, 1):
        place = JsonPath(f"{path}:{number}")
        try:
            row = Row.from_json(parse(_text(line, path, number), place), place)
        except KgennError:
            if number <= len(lines):
                raise
            torn = True
        else:
            rows[row.key] = row
    return rows, torn


def _text(content: bytes, path: Path, line: int = 1) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise fail("KG631", f"{path}:{line}", f"is not UTF-8: {error.reason}", ADVICE) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise fail("KG630", str(path), f"cannot be read: {error.strerror or error}", ADVICE) from error


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
