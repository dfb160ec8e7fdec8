"""Tell the axes of a sweep apart: which vary, which are the same everywhere, which make a series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

from kgenn.bench.json_object import AxisValue
from kgenn.bench.rows import ExperimentRecord, ResultRecord, Row

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
