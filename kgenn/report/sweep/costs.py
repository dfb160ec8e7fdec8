"""The energy of a cell and of its quantised twin, read from what a results file holds beside the known figures."""

from __future__ import annotations

from math import isfinite
from typing import Any

from kgenn.bench.rows import ResultRecord


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


def graded(outcome: ResultRecord) -> bool:
    """Tell whether spikes carry other values than 1 and −1; cells of earlier versions do not say."""
    values = outcome.others.get("spike_values")
    low, high = (_number(entry(values, name)) or 0 for name in ("low", "high"))
    return max(abs(low), abs(high)) > 1


def _number(value: Any) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    return float(value) if known else None
