"""Bin events to frames: each timestep gets the events of a window of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from kgenn.config import number, whole
from kgenn.diagnostics import fail
from kgenn.events.recording import EventFields, fields_of
from kgenn.ir.given import given_sizes
from kgenn.ir.graph import Array, Shape
from kgenn.ir.spike_code import MAX_STEPS

# Bytes of frames that are made at once (8 GiB).
MAX_BYTES = 1 << 33
MAX_COUNT = 65535


@dataclass(frozen=True, eq=False)
class Binned:
    """Frames of events.

    Attributes:
        x: shape (N, T, *shape): bool, whether there was an event; or uint16, how many there were.
        window: of a timestep, in the unit of the events' times.
        num_events: of all recordings.
        num_cut: those after the last timestep.
        num_silent: recordings without events, whose frames are all empty.
    """

    x: Array
    window: float
    num_events: int
    num_cut: int
    num_silent: int = 0


def bin_events(
    recordings: Sequence[Any],
    shape: Shape,
    *,
    window: float | None = None,
    timesteps: int | None = None,
    counts: bool = False,
) -> Binned:
    """Bin recordings of events into frames, one for each timestep.

    The first timestep of a sample begins at its first event.

    Args:
        recordings: one structured array for each sample, with the fields t, x, y and p as in tonic's datasets;
            `kgenn.events.fields_of` lists other names.
        shape: shape of a frame: (addresses,), (height, width) or (height, width, channels). Two channels hold the
            two polarities.
        window: duration of a timestep, in the unit of t. Default: the longest recording divided by `timesteps`.
        timesteps: T; later events are cut off. Default: what the longest recording needs.
        counts: count the events of each timestep; otherwise a value is 1 if there was any event.

    Returns:
        The frames, shape (N, T, *shape), with the window and the number of events that were cut off.

    Raises:
        KgennError: KG401 for options that do not fit together, KG611 for recordings that cannot be binned.
    """
    shape, window, timesteps = _checked_options(shape, window, timesteps)
    found = [fields_of(events, shape, f"recording {i}") for i, events in enumerate(_listed(recordings))]
    longest = max((_duration(events) for events in found), default=0.0)
    if not any(len(events.time) for events in found):
        raise fail("KG611", "recordings", "have no events", "give at least one recording with events")
    steps, width = _grid(longest, window, timesteps)
    size = len(found) * steps * prod(shape) * (2 if counts else 1)
    if steps > MAX_STEPS or size > MAX_BYTES:
        what = f"become {len(found):,} samples of {steps:,} frames of shape {shape}, {size:,} bytes"
        raise fail("KG611", "recordings", what, "give a longer window, or fewer recordings at once")
    total: Array = np.zeros((len(found), steps * prod(shape)), np.uint16 if counts else np.bool_)
    fits = window is None
    cut = sum(_fill(total[i], e, shape, width, fits, counts, f"recording {i}") for i, e in enumerate(found))
    num_events = sum(len(events.time) for events in found)
    silent = sum(not len(events.time) for events in found)
    return Binned(total.reshape(len(found), steps, *shape), width, num_events, cut, silent)


def _listed(recordings: Any) -> Sequence[Any]:
    """Return recordings; raise KG611 for a single one, and for what is no sequence."""
    advice = "give a list of recordings, [events] for a single one"
    if getattr(getattr(recordings, "dtype", None), "names", None) is not None and recordings.ndim == 1:
        raise fail("KG611", "recordings", f"are one recording of {len(recordings):,} events", advice)
    if not hasattr(recordings, "__iter__") or isinstance(recordings, str | bytes):
        raise fail("KG611", "recordings", f"are {recordings!r}", advice)
    return list(recordings)


def _fill(
    row: Array, events: EventFields, shape: Shape, width: float, fits: bool, counts: bool, where: str
) -> int:
    """Fill in a recording's frames, flattened; return how many events come after them.

    Args:
        fits: the frames last as long as the longest recording, whose last event ends the last of them.
        where: the recording, for messages.
    """
    steps = len(row) // prod(shape)
    if not len(events.time):
        return 0
    step = np.floor((events.time - events.time[0]) / width).astype(np.int64)
    step = np.minimum(step, steps - 1) if fits else step
    kept = step < steps
    places = step[kept] * prod(shape) + events.place[kept]
    if counts:
        found, number = np.unique(places, return_counts=True)
        if number.max(initial=0) > MAX_COUNT:
            what = f"has {number.max():,} events of one address in one timestep; counts end at {MAX_COUNT:,}"
            raise fail("KG611", where, what, "give a shorter window, or leave --counts out")
        row[found] = number
    else:
        row[places] = True
    return int((~kept).sum())


def _duration(events: EventFields) -> float:
    return float(events.time[-1] - events.time[0]) if len(events.time) else 0.0


def _grid(longest: float, window: float | None, timesteps: int | None) -> tuple[int, float]:
    """Return T and the window of a timestep; the last event lies in the last window."""
    if window is None:
        assert timesteps is not None
        return timesteps, longest / timesteps or 1.0
    needed = int(longest / window) + 1 if longest / window < MAX_STEPS else MAX_STEPS + 1
    return timesteps or needed, window


def _checked_options(shape: Any, window: Any, timesteps: Any) -> tuple[Shape, float | None, int | None]:
    """Return the options of `bin_events`, or raise KG401."""
    sizes = given_sizes(shape)
    if not 1 <= len(sizes) <= 3 or any(n < 1 for n in sizes) or (len(sizes) == 3 and sizes[2] > 2):
        advice = "give addresses, height,width or height,width,channels with one channel or two"
        raise fail("KG401", "--shape", f"is {shape}", advice)
    if window is None and timesteps is None:
        raise fail("KG401", "--window", "is missing", "give the time of a timestep, or --timesteps")
    if window is not None and not 0 < number("--window", window) < np.inf:
        raise fail("KG401", "--window", f"is {window:g}", "give a time above zero, in the unit of the events")
    if timesteps is not None:
        timesteps = whole("--timesteps", timesteps, 1, MAX_STEPS)
    return sizes, window, timesteps
