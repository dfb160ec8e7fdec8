"""One recording of events, as AEDAT files and the datasets of tonic have it: a structured array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kgenn.diagnostics import fail
from kgenn.ir.graph import Array, Shape

# What the fields of structured arrays are called; the first is tonic's name.
COLUMN = ("x", "column", "address", "addr", "neuron")
ROW = ("y", "row")
TIME = ("t", "time", "ts", "timestamp")
POLARITY = ("p", "polarity", "pol", "on")


@dataclass(frozen=True, eq=False)
class EventFields:
    """The events of a recording, checked.

    Attributes:
        time: ascending, float64.
        place: the value of a frame that each event is for, int64.
    """

    time: Array
    place: Array


def fields_of(events: Any, shape: Shape, where: str) -> EventFields:
    """Return a recording's events.

    Args:
        events: a structured array with fields for an address, or a column and a row, for the time and, perhaps,
            for the polarity.
        shape: of a frame: (addresses,), (height, width) or (height, width, channels), with the polarity in two
            channels and ignored where there is one or none.
        where: the recording, for messages.

    Raises:
        KgennError: KG611 for fields that are missing, times that run backwards, and events outside of the frame.
    """
    names = getattr(getattr(events, "dtype", None), "names", None)
    if names is None:
        what = f"is of the type {type(events).__name__}, without named fields"
        raise fail("KG611", where, what, "give a structured array with the fields t, x, y and p, as tonic does")
    time = _field(events, names, TIME, where)
    time = time.astype(np.float64)
    backwards = np.flatnonzero(np.diff(time) < 0)
    if len(backwards):
        first = int(backwards[0]) + 1
        what = f"has times that run backwards at event {first:,}, from {time[first - 1]:g} to {time[first]:g}"
        raise fail("KG611", where, what, "sort the events: events[numpy.argsort(events['t'], kind='stable')]")
    return EventFields(time, _place(events, names, shape, where))


def _place(events: Array, names: tuple[str, ...], shape: Shape, where: str) -> Array:
    """Return the index of each event's value in a flattened frame."""
    if len(shape) == 1 and _names_rows(names):
        what = f"has rows, and frames of shape {shape} have none"
        raise fail("KG611", where, what, "give the sensor's size as --shape, such as 34,34")
    column = _inside(
        _field(events, names, COLUMN, where), shape[1] if _has_rows(names, shape) else None, shape, where
    )
    if len(shape) == 1 or not _has_rows(names, shape):
        limit = int(np.prod(shape[:2]))
        place = _inside(column, limit, shape, where)
    else:
        place = _inside(_field(events, names, ROW, where), shape[0], shape, where) * shape[1] + column
    if len(shape) < 3 or shape[2] == 1:
        return place
    if not any(name in names for name in POLARITY):
        what = f"has no polarity (fields {', '.join(names)}), but frames of shape {shape} have two channels"
        advice = f"give frames of one channel, --shape {shape[0]},{shape[1]},1, or add a field p"
        raise fail("KG611", where, what, advice)
    return place * shape[2] + _polarity(_field(events, names, POLARITY, where), shape, where)


def _has_rows(names: tuple[str, ...], shape: Shape) -> bool:
    """Tell whether an address is a column and a row."""
    return len(shape) > 1 and _names_rows(names)


def _names_rows(names: tuple[str, ...]) -> bool:
    return any(name in names for name in ROW)


def _inside(values: Array, size: int | None, shape: Shape, where: str) -> Array:
    whole = values.astype(np.int64)
    if size is None:
        return whole
    outside = np.flatnonzero((whole < 0) | (whole >= size) | (whole != values))
    if len(outside):
        what = f"has event {int(outside[0]):,} at {values[outside[0]]}, outside of frames of shape {shape}"
        raise fail("KG611", where, what, "give the sensor's size as --shape, or leave such events out")
    return whole


def _polarity(values: Array, shape: Shape, where: str) -> Array:
    """Return the channel of each event: 0 for polarity 0, False or -1."""
    found = np.where(values.astype(np.int64) == -1, 0, values.astype(np.int64))
    outside = np.flatnonzero((found < 0) | (found >= shape[2]))
    if len(outside):
        what = f"has the polarity {values[outside[0]]} at event {int(outside[0]):,}"
        raise fail("KG611", where, what, f"give polarities from 0 to {shape[2] - 1}, or -1 and 1")
    return found


def _field(events: Array, names: tuple[str, ...], known: tuple[str, ...], where: str) -> Array:
    name = next((name for name in known if name in names), None)
    if name is None or events[name].dtype.kind not in "biuf" or events[name].ndim != 1:
        what = f"has the fields {', '.join(names)}, and no numeric field called {' or '.join(known)}"
        raise fail("KG611", where, what, "rename the fields to t, x, y and p, as tonic calls them")
    field: Array = events[name]
    odd = np.flatnonzero(~np.isfinite(field))
    if len(odd):
        what = f"has {field[odd[0]]} as {name} of event {int(odd[0]):,}"
        raise fail("KG611", where, what, "leave such events out")
    return field
