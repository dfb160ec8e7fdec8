"""The metric of a sweep's outcomes, in words and on an axis; others than accuracy are those of other tasks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

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
