"""Read recordings of events from .npz files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kgenn.diagnostics import fail
from kgenn.ir.archive import arrays
from kgenn.ir.graph import Array

# How a file is made.
ADVICE = (
    "save it with numpy.savez(path, t=..., x=..., y=..., p=..., starts=...): the events of all recordings one "
    "after the other, and the index of the first of each"
)
LABELS = "labels"
STARTS = "starts"


def read_events(path: Path) -> tuple[list[Array], Array | None]:
    """Return the recordings of a file, each a structured array, and their labels where it has `labels`.

    The file has an array for each field, or one structured array `events`; `starts` has the index of the first
    event of each recording, and is not needed for a single one.

    Raises:
        KgennError: KG601 where the file cannot be read, KG611 for arrays that do not go together.
    """
    try:
        with arrays(path, structured=True) as archive:
            found = dict(archive)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise fail("KG601", str(path), f"cannot be read: {reason}", "give an .npz file of events") from error
    labels, starts = found.pop(LABELS, None), found.pop(STARTS, np.zeros(1, np.int64))
    events = _events(found, str(path))
    ends = np.append(starts[1:], len(events)) if starts.ndim == 1 and starts.size else starts
    if starts.ndim != 1 or starts.dtype.kind not in "iu" or not _ascend(starts, ends, len(events)):
        what = f"has {len(events):,} events, but its starts are not ascending indices of them from 0"
        raise fail("KG611", str(path), what, ADVICE)
    if labels is not None and len(labels) != len(starts):
        raise fail("KG607", str(path), f"has {len(labels):,} labels for {len(starts):,} recordings", ADVICE)
    return [events[a:b] for a, b in zip(starts, ends, strict=True)], labels


def _ascend(starts: Array, ends: Array, count: int) -> bool:
    return bool(starts.size and starts[0] == 0 and (ends >= starts).all() and ends[-1] == count)


def _events(found: dict[str, Array], where: str) -> Array:
    """Return the arrays of a file as one structured array."""
    if "events" in found:
        others = ", ".join(sorted(found.keys() - {"events"}))
        if others:
            what = f"has {others} beside events, {STARTS} and {LABELS}"
            raise fail("KG611", where, what, f"leave it out, or call it {LABELS} if it holds labels")
        return found["events"]
    if not found or any(array.ndim != 1 for array in found.values()) or len(set(map(len, found.values()))) > 1:
        sizes = ", ".join(f"{name} of shape {array.shape}" for name, array in found.items()) or "none"
        raise fail("KG611", where, f"has no events: its arrays are {sizes}", ADVICE)
    events = np.empty(len(next(iter(found.values()))), [(name, array.dtype) for name, array in found.items()])
    for name, array in found.items():
        events[name] = array
    return events
