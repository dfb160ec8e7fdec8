"""A metric of a network against that of its model: a share or a difference, as the metric's scale allows.

A metric in percent (accuracies, F1, intersection over union) lies on a ratio scale: its share of the model's says
what is left, value / model's. Errors, R² and decibels have no such share: the difference says what was lost, in
the metric's unit, value − model's. Neither is known without both values, nor a share of nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite

from kgenn.tasks.metric import in_percent, written

UNKNOWN = "–"


def share_of(metric: str, value: float | None, model: float | None) -> float | None:
    """Return a metric as a share of the model's; None where that says nothing."""
    if value is None or model is None or not in_percent(metric) or model <= 0:
        return None
    return value / model


def difference_to(metric: str, value: float | None, model: float | None) -> float | None:
    """Return a metric less the model's, of one that has no share; None where that is not known."""
    if value is None or model is None or in_percent(metric) or not isfinite(value - model):
        return None
    return value - model


def heading(metrics: Iterable[str]) -> str:
    """Return what the figures of some metrics against their models' are called."""
    kinds = {in_percent(metric) for metric in metrics}
    return {frozenset({True}): "share", frozenset({False}): "difference"}.get(
        frozenset(kinds), "share or difference"
    )


def in_words(metric: str, pairs: Iterable[tuple[float | None, float | None]], digits: int = 2) -> str:
    """Return the mean over runs of a metric against the model's: a share in %, or a difference with its sign.

    Args:
        pairs: the value of each run, and of its model.
        digits: of a share.
    """
    against = share_of if in_percent(metric) else difference_to
    known = [found for value, model in pairs if (found := against(metric, value, model)) is not None]
    if not known:
        return UNKNOWN
    mean = sum(known) / len(known)
    if in_percent(metric):
        return f"{100 * mean:.{digits}f} %"
    return f"{'−' if mean < 0 else '+'}{written(metric, abs(mean))}"
