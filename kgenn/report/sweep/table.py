"""Lay out an experiment as the paper's table: headings that span, and in each cell ours beside the published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kgenn.bench import against
from kgenn.bench.rows import ExperimentRecord, Published, ResultRecord, Row
from kgenn.report.sweep.axes import (
    MODEL,
    SEED,
    Point,
    grouped,
    layout,
    mean,
    nested,
    phrase,
    point_of,
    runs,
    steps_of,
    varying,
    words,
)
from kgenn.report.sweep.measure import in_words, metric_of, on_axis, others
from kgenn.report.sweep.text import amount
from kgenn.report.sweep.verdicts import judge, published_words
from kgenn.tasks.metric import title as metric_title


@dataclass(frozen=True)
class Heading:
    """A heading and how many rows or columns it spans."""

    text: str
    span: int


@dataclass(frozen=True)
class Entry:
    """One result in a cell of the table; figures in words.

    Attributes:
        label: what tells it from the others in the same cell.
        value: the mean over seeds, with the spread where there are several.
        against: the metric against the ANN's, a share or a difference.
        costs: metrics of other outputs, spikes per neuron, synaptic operations, and T where it was searched for.
        problem: the codes of a failure.
        key: of the first row.
    """

    label: str
    value: str
    against: str
    costs: tuple[str, ...]
    problem: str
    key: str


@dataclass(frozen=True)
class Figure:
    """A published figure in words, and whether ours meets it; None without ours."""

    text: str
    met: bool | None


@dataclass(frozen=True)
class PublishedCell:
    """What a publication gives for a cell: its label and its figures."""

    label: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class TableCell:
    """A cell of the table."""

    entries: tuple[Entry, ...]
    published: tuple[PublishedCell, ...]


@dataclass(frozen=True)
class TableRow:
    """A row: its headings, of which those that an earlier row spans are None, the ANN's accuracy, and cells."""

    headings: tuple[Heading | None, ...]
    ann: str
    ann_published: str
    cells: tuple[TableCell, ...]


@dataclass(frozen=True)
class Table:
    """A table in the shape of a paper's.

    Attributes:
        row_axes: names above the row headings.
        columns: for each axis of the columns its headings.
        rows: from top to bottom.
    """

    row_axes: tuple[str, ...]
    columns: tuple[tuple[Heading, ...], ...]
    rows: tuple[TableRow, ...]


def table(experiment: ExperimentRecord, rows: Sequence[Row]) -> Table:
    """Lay out the finished cells of an experiment."""
    row_axes, column_axes = layout(experiment, rows)
    row_points = nested(grouped(rows, row_axes), row_axes)
    column_points = nested(grouped(rows, column_axes), column_axes)
    apart = [name for name in varying(rows) if name not in (*row_axes, *column_axes, SEED)]
    by_place: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        place = repr(point_of(row, row_axes)), repr(point_of(row, column_axes))
        by_place.setdefault(place, []).append(row)
    headings = _row_headings([[_value(p, a) for a in row_axes] for p in row_points])
    table_rows = []
    for point, heading in zip(row_points, headings, strict=True):
        members = [by_place.get((repr(point), repr(column)), []) for column in column_points]
        ann, published = _ann(experiment, [row for cell in members for row in cell], row_axes)
        cells = tuple(_cell(experiment, cell, apart) for cell in members)
        table_rows.append(TableRow(heading, ann, published, cells))
    columns = _column_headings([[_value(p, a, speak=True) for a in column_axes] for p in column_points])
    return Table(row_axes, columns, tuple(table_rows))


def _value(point: Point, axis: str, speak: bool = False) -> str:
    values = dict(point)
    if axis not in values:
        return "–"
    return phrase(axis, values[axis]) if speak else words(((axis, values[axis]),))


def _column_headings(texts: Sequence[Sequence[str]]) -> tuple[tuple[Heading, ...], ...]:
    """Return a line of headings for each axis; neighbours under one heading share it."""
    lines = []
    for depth in range(len(texts[0]) if texts else 0):
        spans = runs(tuple(text[: depth + 1]) for text in texts)
        lines.append(tuple(Heading(path[-1], count) for path, count in spans))
    return tuple(lines)


def _row_headings(texts: Sequence[Sequence[str]]) -> list[tuple[Heading | None, ...]]:
    """Return the headings of each row; None where the one above spans it."""
    columns: list[list[Heading | None]] = []
    for depth in range(len(texts[0]) if texts else 0):
        column: list[Heading | None] = []
        for path, count in runs(tuple(text[: depth + 1]) for text in texts):
            column += [Heading(path[-1], count), *[None] * (count - 1)]
        columns.append(column)
    return [tuple(column[i] for column in columns) for i in range(len(texts))]


def _ann(experiment: ExperimentRecord, rows: Sequence[Row], row_axes: Sequence[str]) -> tuple[str, str]:
    """Return the model's metric, ours and the published, where a row of the table has one model."""
    ours = {row.result.ann_value for row in rows if row.result and row.result.ann_value is not None}
    metric = metric_of(row.result for row in rows if row.result)
    published = {p.ann for p in experiment.published if p.ann is not None and any(p.matches(r.axes) for r in rows)}
    if len({row.axes.get(MODEL) for row in rows}) > 1 or len(ours) > 1:
        return "", ""
    theirs = f"{published.pop():g}" if len(published) == 1 else ""
    return in_words(metric, ours.pop()) if ours else "–", theirs


def _cell(experiment: ExperimentRecord, rows: Sequence[Row], apart: Sequence[str]) -> TableCell:
    """Return the entries of one cell, and the published figures that compare with them."""
    entries = tuple(_entry(group.rows, group.label) for group in grouped(rows, apart))
    known = [p for p in experiment.published if any(p.matches(row.axes) for row in rows)]
    return TableCell(entries, tuple(_published(experiment, p, rows) for p in known))


def _entry(rows: Sequence[Row], label: str) -> Entry:
    """Return the mean of runs that differ only in their seed."""
    results = [row.result for row in rows if row.result is not None]
    codes = sorted({failure.code for row in rows for failure in row.error})
    problem = " ".join(["failed", *codes]) if len(results) < len(rows) else ""
    if not results:
        return Entry(label, "", "", (), problem, rows[0].key)
    known, metric = [r.value for r in results if r.value is not None], metric_of(results)
    value = in_words(metric, mean(known))
    if len(known) > 1:
        value += f" ± {on_axis(metric, (max(known) - min(known)) / 2):{'.2f' if value.endswith('%') else '.2g'}}"
    found = next((steps_of(r) for r in results if r.timesteps_found), None)
    costs = [_of_output(results, output) for output in others(results)]
    costs.append(f"{mean(r.spikes_per_neuron for r in results):.3g} spikes")
    costs.append(f"{amount(mean(r.synaptic_operations for r in results) or 0)} ops")
    costs += [f"T = {found}"] if found else []
    beside = against.in_words(metric, ((r.value, r.ann_value) for r in results), 1)
    return Entry(label, value, beside, tuple(costs), problem, rows[0].key)


def _of_output(results: Sequence[ResultRecord], name: str) -> str:
    """Return the metric of another output in words, also against the model's."""
    own = [output for r in results for output in r.outputs if output.name == name]
    metric, value = own[0].metric, mean(output.value for output in own)
    beside = against.in_words(metric, ((output.value, output.ann_value) for output in own), 1)
    return f"{metric_title(metric)} of {name} {in_words(metric, value)} ({beside})"


def _published(experiment: ExperimentRecord, published: Published, rows: Sequence[Row]) -> PublishedCell:
    """Return a published entry in words, each figure with its verdict over these rows."""
    found = list(judge(rows, experiment, published))
    figures = []
    for figure, text in published_words(published):
        verdicts = [v for v in found if v.figure == figure]
        unknown = any(v.ours is None for v in verdicts)
        figures.append(Figure(text, None if unknown else all(v.met for v in verdicts)))
    return PublishedCell(published.label or "published", tuple(figures))
