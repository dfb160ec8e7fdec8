"""The cells of a sweep: which axes vary, are the same everywhere or make a series, and what each cell measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import isfinite
from typing import Any, TypeVar

from kgenn.bench.json_object import AxisValue
from kgenn.bench.rows import ExperimentRecord, ResultRecord, Row
from kgenn.tasks.metric import ERRORS, UNITS, title, written

T = TypeVar("T")
Point = tuple[tuple[str, AxisValue], ...]

TIMESTEPS, SEED, MODEL, TARGET = "timesteps", "seed", "model", "target"
AUTO = "auto"
# Axes that do not tell one series of a plot from another: they are its x axis, its panel, or are averaged over.
NO_SERIES = (TIMESTEPS, SEED, MODEL)
# Their values say what they are without the name of the axis.
SPEAKING = {"model", "converter", "encoder", "target"}


@dataclass(frozen=True)
class Group:
    """Rows that agree on some axes.

    Attributes:
        point: those axes and their values.
        rows: in the order of the sweep.
    """

    point: Point
    rows: tuple[Row, ...]

    @property
    def label(self) -> str:
        """Return the values in words."""
        return words(self.point)


def names_of(rows: Iterable[Row]) -> list[str]:
    """Return all axes in the order in which they are met."""
    return list(dict.fromkeys(name for row in rows for name in row.axes))


def varying(rows: Sequence[Row]) -> list[str]:
    """Return the axes that have more than one value; to lack an axis is a value too."""
    return [name for name in names_of(rows) if len({repr(row.axes.get(name, ...)) for row in rows}) > 1]


def constant(rows: Sequence[Row]) -> Point:
    """Return the axes that have one value in all rows."""
    changing = set(varying(rows))
    return tuple((name, value) for name, value in (rows[0].axes.items() if rows else ()) if name not in changing)


def point_of(row: Row, axes: Iterable[str]) -> Point:
    """Return a row's values on some axes; an axis that it lacks is left out."""
    return tuple((name, row.axes[name]) for name in axes if name in row.axes)


def grouped(rows: Iterable[Row], axes: Sequence[str]) -> list[Group]:
    """Group rows by their values on some axes, in the order in which they are met."""
    found: dict[str, tuple[Point, list[Row]]] = {}
    for row in rows:
        point = point_of(row, axes)
        # repr, since 1 and True are equal and not the same
        found.setdefault(repr(point), (point, []))[1].append(row)
    return [Group(point, tuple(members)) for point, members in found.values()]


def nested(groups: Iterable[Group], axes: Sequence[str]) -> list[Point]:
    """Return the points of groups, sorted axis by axis: numbers by size, words as they are met."""
    points = [group.point for group in groups]
    met = {axis: list(dict.fromkeys(repr(dict(p).get(axis, ...)) for p in points)) for axis in axes}

    def place(point: Point, axis: str) -> tuple[bool, float]:
        value = dict(point).get(axis)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return False, value
        return True, met[axis].index(repr(dict(point).get(axis, ...)))

    return sorted(points, key=lambda point: [place(point, axis) for axis in axes])


def series_axes(rows: Sequence[Row]) -> list[str]:
    """Return the axes that tell the series of a plot apart."""
    found = [name for name in varying(rows) if name not in NO_SERIES]
    return found or [name for name in ("converter",) if name in names_of(rows)]


def only_option(rows: Sequence[Row]) -> str | None:
    """Return the axis that alone varies, the seed aside, where its values are numbers and not the timesteps."""
    changing = [name for name in varying(rows) if name != SEED]
    if len(changing) != 1 or changing[0] == TIMESTEPS:
        return None
    values = [row.axes.get(changing[0]) for row in rows]
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return changing[0] if numbers else None


def panels(rows: Sequence[Row]) -> list[Group]:
    """Group rows by model: each has plots of its own."""
    return grouped(rows, [MODEL])


def words(point: Point) -> str:
    """Return axes and their values in words, such as "data-norm · percentile 99.9"."""
    return " · ".join(phrase(name, value) for name, value in point)


def phrase(name: str, value: AxisValue) -> str:
    """Return one axis and its value in words."""
    if name in SPEAKING:
        return shown(value)
    if isinstance(value, bool):
        return name if value else f"no {name}"
    return f"T = {shown(value)}" if name == TIMESTEPS else f"{name} {shown(value)}"


def shown(value: AxisValue) -> str:
    """Return a value of an axis as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "–"
    return f"{value:g}" if isinstance(value, float) else str(value)


def steps_of(outcome: ResultRecord) -> int:
    """Return T."""
    return outcome.timesteps_found or outcome.num_timesteps


def layout(experiment: ExperimentRecord, rows: Sequence[Row]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the axes of a table's rows and of its columns; timesteps to the right where nothing is said."""
    if experiment.rows or experiment.columns:
        return experiment.rows, experiment.columns
    changing = [name for name in varying(rows) if name != SEED]
    return tuple(n for n in changing if n != TIMESTEPS), tuple(n for n in changing if n == TIMESTEPS)


def runs(items: Iterable[T]) -> list[tuple[T, int]]:
    """Return each run of equal items with its length."""
    return [(item, len(list(members))) for item, members in groupby(items)]


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of what is known, None where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def first_of(values: Mapping[str, T], names: Iterable[str]) -> T | None:
    """Return the first of some entries that is there."""
    return next((values[name] for name in names if name in values), None)


# ---- what a cell measured: its metric, its energy and its spikes


PERCENT, SUFFIX = "percent", {"percent": ", %", "decibel": ", dB", "plain": ""}


def metric_of(outcomes: Iterable[ResultRecord]) -> str:
    """Return the metric of some outcomes; that of the first where they differ."""
    return next((r.metric for r in outcomes), "accuracy")


def others(outcomes: Iterable[ResultRecord]) -> list[str]:
    """Return the names of the outputs behind the first, where there are several."""
    return list(dict.fromkeys(output.name for r in outcomes for output in r.outputs[1:]))


def of_output(rows: Iterable[Row], name: str) -> list[Row]:
    """Return rows with the figures of one of several outputs in place of the first one's."""
    found = []
    for row in rows:
        own = [o for o in row.result.outputs if o.name == name] if row.result is not None else []
        if row.result is not None and own:
            found.append(replace(row, result=row.result.of(own[0])))
    return found


def in_words(metric: str, value: float | None) -> str:
    """Return a value of a metric with its unit; a dash where there is none."""
    return "–" if value is None else written(metric, value)


def on_axis(metric: str, value: float) -> float:
    """Return a value of a metric as an axis has it: shares in %."""
    return 100 * value if UNITS.get(metric, PERCENT) == PERCENT else value


def axis_label(metric: str) -> str:
    """Return the name of an axis."""
    return title(metric) + SUFFIX[UNITS.get(metric, PERCENT)]


def heading(metric: str) -> str:
    """Return the name of a metric as the first words of a heading."""
    words = title(metric)
    return words[:1].upper() + words[1:]


def is_error(metric: str) -> bool:
    """Tell whether a smaller value is better."""
    return metric in ERRORS


def entry(value: Any, *names: str) -> Any:
    """Return what lies under some names, one in the other; None where there is nothing."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def joules(outcome: ResultRecord, whose: str, kind: str) -> float | None:
    """Return an energy in joules; None where the cell has none, as those of earlier versions.

    Args:
        whose: "snn" or "twin".
        kind: "float32", "integer" or "memory"; see `kgenn.metrics.energy`.
    """
    return _number(entry(outcome.others.get("energy"), whose, kind))


def twin_value(outcome: ResultRecord) -> float | None:
    """Return the metric of the twin's first output."""
    values = entry(outcome.others.get("twin"), "values")
    return _number(next(iter(values.values()), None)) if isinstance(values, dict) else None


def spikes_per_value(outcome: ResultRecord) -> float:
    """Return the spikes of all neurons that stand for one value; of old cells, those of a neuron."""
    found = _number(outcome.others.get("spikes_per_value"))
    return outcome.spikes_per_neuron if found is None else found


def graded(outcome: ResultRecord) -> bool:
    """Tell whether spikes carry other values than 1 and −1; cells of earlier versions do not say."""
    values = outcome.others.get("spike_values")
    low, high = (_number(entry(values, name)) or 0 for name in ("low", "high"))
    return max(abs(low), abs(high)) > 1


def _number(value: Any) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    return float(value) if known else None
