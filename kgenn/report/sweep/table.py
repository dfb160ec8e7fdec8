"""Lay out an experiment as the published table, with what was measured beside what was published."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kgenn.bench.rows import ExperimentRecord, Published, ResultRecord, Row
from kgenn.report.sweep.cells import (
    MODEL,
    SEED,
    Point,
    grouped,
    in_words,
    layout,
    mean,
    metric_of,
    names_of,
    nested,
    on_axis,
    others,
    phrase,
    point_of,
    runs,
    steps_of,
    varying,
    words,
)
from kgenn.report.sweep.results import Results
from kgenn.report.sweep.text import amount
from kgenn.tasks.metric import compared, in_percent
from kgenn.tasks.metric import title as metric_title

# Shares of whole numbers of samples are compared after division: less than any sample, more than rounding.
SLACK = 1e-9

SHARE, ACCURACY = "share of ANN accuracy", "accuracy"
SPIKES, OPERATIONS = "spikes per neuron", "synaptic operations"


@dataclass(frozen=True)
class Verdict:
    """One published figure beside ours.

    Attributes:
        experiment: its name.
        point: the axes of the cells that are compared; those of the figure, and what else varies among them.
        label: what the publication calls it.
        figure: `SHARE`, `ACCURACY`, `SPIKES` or `OPERATIONS`. The first two, shares from 0 to 1, are to be at
            least the published, the others at most.
        published: the figure of the literature.
        ours: the mean over seeds; None where there is none.
        reason: why there is none.
    """

    experiment: str
    point: Point
    label: str
    figure: str
    published: float
    ours: float | None
    reason: str = ""

    @property
    def met(self) -> bool:
        """Tell whether ours is at least as good."""
        if self.ours is None:
            return False
        better = 1 if self.figure in (SHARE, ACCURACY) else -1
        return better * (self.ours - self.published) >= -SLACK * max(1.0, self.published)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        return {
            "experiment": self.experiment,
            "axes": dict(self.point),
            "label": self.label,
            "figure": self.figure,
            "published": self.published,
            "ours": self.ours,
            "met": self.met,
            "reason": self.reason,
        }


def verdicts(results: Results) -> tuple[Verdict, ...]:
    """Return a verdict for each published figure and each kind of cell that it compares with."""
    return tuple(v for e in results.experiments for p in e.published for v in judge(results.finished(e), e, p))


def judge(finished: Sequence[Row], experiment: ExperimentRecord, published: Published) -> Iterator[Verdict]:
    """Yield the verdicts of one published entry; of cells that differ only in their seed the mean counts."""
    rows = [row for row in finished if published.matches(row.axes)]
    figures = list(_figures(published))
    label = published.label or experiment.source or "published"
    if not rows:
        pending = len(finished) < len(experiment.cells)
        reason = "not finished" if pending else "no such cell"
        for figure, value in figures:
            yield Verdict(experiment.name, tuple(published.where.items()), label, figure, value, None, reason)
        return
    own = [name for name in names_of(rows) if name in published.where or (name in varying(rows) and name != SEED)]
    for group in grouped(rows, own):
        for figure, value in figures:
            ours, reason = _ours(group.rows, figure)
            yield Verdict(experiment.name, group.point, label, figure, value, ours, reason)


def _figures(published: Published) -> Iterator[tuple[str, float]]:
    """Yield what a publication gives: accuracy as a share of its ANN's where that is known."""
    if published.share is not None:
        yield SHARE, published.share
    elif published.accuracy is not None:
        yield ACCURACY, published.accuracy / 100
    if published.spikes_per_neuron is not None:
        yield SPIKES, published.spikes_per_neuron
    if published.synaptic_operations is not None:
        yield OPERATIONS, published.synaptic_operations


def _ours(rows: Sequence[Row], figure: str) -> tuple[float | None, str]:
    """Return the mean over rows, or why there is none: one that failed leaves no mean."""
    failed = [row for row in rows if row.result is None]
    if failed:
        return None, "failed" if len(failed) == len(rows) else f"{len(failed)} of {len(rows)} failed"
    values = [figure_of(row.result, figure) for row in rows if row.result is not None]
    if None in values:
        return None, "no labels" if any(
            r.result and r.result.accuracy is None for r in rows
        ) else "no ANN accuracy"
    return mean(values), ""


def figure_of(outcome: ResultRecord, figure: str) -> float | None:
    """Return one figure of an outcome."""
    return {
        SHARE: outcome.share if outcome.metric == "accuracy" else None,
        ACCURACY: outcome.accuracy,
        SPIKES: outcome.spikes_per_neuron,
        OPERATIONS: outcome.synaptic_operations,
    }[figure]


def published_words(published: Published) -> Iterator[tuple[str, str]]:
    """Yield each published figure and how it stands in a table."""
    for figure, value in _figures(published):
        if figure == SHARE:
            yield figure, f"{published.accuracy:g} % ({100 * value:.1f} %)"
        elif figure == ACCURACY:
            yield figure, f"{published.accuracy:g} %"
        elif figure == SPIKES:
            yield figure, f"{value:g} spikes"
        else:
            yield figure, f"{amount(value)} ops"


def written(figure: str, value: float | None) -> str:
    """Return a figure with its unit."""
    if value is None:
        return "–"
    if figure in (SHARE, ACCURACY):
        return f"{100 * value:.2f} %"
    return f"{value:.3f}" if figure == SPIKES else f"{value:,.0f}"


def title(verdict: Verdict) -> str:
    """Return which cells a verdict is about."""
    return words(verdict.point) or "all cells"


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
        digits = ".2f" if in_percent(metric) else ".2g"
        value += f" ± {on_axis(metric, (max(known) - min(known)) / 2):{digits}}"
    found = next((steps_of(r) for r in results if r.timesteps_found), None)
    costs = [_of_output(results, output) for output in others(results)]
    costs.append(f"{mean(r.spikes_per_neuron for r in results):.3g} spikes")
    costs.append(f"{amount(mean(r.synaptic_operations for r in results) or 0)} ops")
    costs += [f"T = {found}"] if found else []
    beside = compared(metric, ((r.value, r.ann_value) for r in results), 1)
    return Entry(label, value, beside, tuple(costs), problem, rows[0].key)


def _of_output(results: Sequence[ResultRecord], name: str) -> str:
    """Return the metric of another output in words, also against the model's."""
    own = [output for r in results for output in r.outputs if output.name == name]
    metric, value = own[0].metric, mean(output.value for output in own)
    beside = compared(metric, ((output.value, output.ann_value) for output in own), 1)
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
