"""A metric: a figure of how good predictions are, added up sample by sample.

A metric is a function of sums over the samples, so that it can be added up batch by batch, after every timestep at
once. Sums of integers are exact; those of floats are added one sample after the other. So a figure does not depend
on the batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Literal

import numpy as np

from kgenn.ir.graph import Array

Unit = Literal["percent", "plain", "decibel"]


@dataclass(frozen=True)
class Metric:
    """A figure of how good predictions are.

    Attributes:
        name: as `--metric` takes it.
        unit: how its values are written; those in percent lie in 0 to 1.
        larger_is_better: else it is an error.
        terms: of predictions (B, S, *shape) and labels (B, *shape), the terms of each sample, (B, S, k).
        value: of the sums of the terms over all samples, (S, k), and all labels, (N, *shape), the figures, (S,).
        points: of figures and all labels, the figures in points, of which more is better; see `kgenn.tasks.loss`.
        mean: the figure in points is a mean over the samples.
        compares: it has a finite value where all predictions are right.
        pointed: what points are of; the title if not given.
    """

    name: str
    unit: Unit
    larger_is_better: bool
    terms: Callable[[Array, Array], Array]
    value: Callable[[Array, Array], Array]
    points: Callable[[Array, Array], Array] = lambda values, labels: 100 * values
    mean: bool = True
    compares: bool = True
    pointed: str = ""

    @property
    def title(self) -> str:
        """Return the name in words."""
        return title(self.name)


def title(name: str) -> str:
    """Return the name of a metric in words."""
    return ACRONYMS.get(name, name.replace("-", " "))


def as_r2(values: Array, labels: Array) -> Array:
    """Return mean squared errors as points of R², over all values together."""
    spread = float(((labels - labels.mean(axis=0)) ** 2).mean())
    found: Array = 100 * (1 - values / max(spread, TINY))
    return found


def of_spread(values: Array, labels: Array) -> Array:
    """Return mean absolute errors in points of the mean absolute deviation of the labels from their mean."""
    spread = float(np.abs(labels - labels.mean(axis=0)).mean())
    found: Array = 100 * (1 - values / max(spread, TINY))
    return found


TINY = float(np.finfo(np.float64).tiny)
ACRONYMS = {"mse": "MSE", "mae": "MAE", "r2": "R²", "psnr": "PSNR", "f1": "F1", "mean-iou": "mean IoU"}
# How the values of metrics are written; others are in percent.
UNITS: dict[str, Unit] = {"mse": "plain", "mae": "plain", "r2": "plain", "psnr": "decibel"}
ERRORS = frozenset({"mse", "mae"})


def in_percent(name: str) -> bool:
    """Tell whether the values of a metric are written in percent: shares of what is right, from 0 to 1."""
    return UNITS.get(name, "percent") == "percent"


def written(name: str, value: float | None) -> str:
    """Return the value of a metric with its unit."""
    if value is None:
        return "no labels"
    if in_percent(name):
        return f"{100 * value:.2f} %"
    return f"{value:.2f} dB" if UNITS[name] == "decibel" else f"{value:.4g}"


def difference(name: str, better: float, worse: float) -> str:
    """Return by how much the second value of a metric is worse, with its unit."""
    lost = worse - better if name in ERRORS else better - worse
    if in_percent(name):
        return f"{100 * lost:.2f} points"
    return written(name, lost)


# A metric of a network against that of its model. One in percent lies on a ratio scale: its share of the model's
# says what is left, value / model's. Errors, R² and decibels have no such share: the difference says what was
# lost, in the metric's unit, value − model's. Neither is known without both values, nor a share of nothing.
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


def comparison_title(metrics: Iterable[str]) -> str:
    """Return what the figures of some metrics against their models' are called."""
    kinds = {in_percent(metric) for metric in metrics}
    return {frozenset({True}): "share", frozenset({False}): "difference"}.get(
        frozenset(kinds), "share or difference"
    )


def compared(metric: str, pairs: Iterable[tuple[float | None, float | None]], digits: int = 2) -> str:
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


class MetricTally:
    """Add up a metric batch by batch."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self._sums: Array | None = None

    def add(self, predictions: Array, labels: Array) -> None:
        """Add one batch: predictions of shape (B, S, *shape), labels of shape (B, *shape)."""
        terms = self.metric.terms(predictions, labels)
        sums = np.zeros(terms.shape[1:], terms.dtype) if self._sums is None else self._sums
        if terms.dtype.kind in "iu":
            sums = sums + terms.sum(axis=0)
        else:
            for row in terms:
                sums = sums + row
        self._sums = sums

    def values(self, labels: Array) -> Array | None:
        """Return the figure after every step that was added, shape (S,), float64; None where nothing was added.

        Args:
            labels: of all samples.
        """
        if self._sums is None or not len(labels):
            return None
        with np.errstate(all="ignore"):
            found: Array = np.asarray(self.metric.value(self._sums, labels), np.float64)
        return found
