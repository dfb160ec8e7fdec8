"""The metric of outcomes in words and on an axis, and the energy of a cell and of its quantised twin."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import isfinite
from typing import Any

from kgenn.bench.rows import ResultRecord, Row
from kgenn.tasks.metric import ERRORS, UNITS, title, written

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
