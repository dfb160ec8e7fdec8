"""What a run gives of one output, in the metric of its task, and how it is added up batch by batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kgenn.ir.graph import Array
from kgenn.ir.scores import Head
from kgenn.tasks.goal import Goal
from kgenn.tasks.metric import ERRORS, MetricTally, title, written
from kgenn.tasks.predict import predictions


@dataclass(frozen=True)
class AnnValue:
    """A metric of the network's weights as an ANN, beside the network's own, on the first samples of a run.

    The weights are the model's, on the network's grid; a method that corrects biases has moved those.

    Attributes:
        num_samples: the first so many of the run.
        ann, network: the metric on these.
    """

    num_samples: int
    ann: float
    network: float


@dataclass(frozen=True, eq=False)
class OutputResult:
    """The outcome of running a network on a data set, of one of its outputs; see `Result` for the fields.

    Attributes:
        task: in words, with where it comes from.
        metric: the name of the metric that `value` and `curve` are of.
        metrics: every metric of the task by its name, that one among them; empty without labels.
    """

    task: str
    metric: str
    metrics: Mapping[str, float]
    curve: Array | None
    predictions: Array = field(repr=False)
    scores: Array = field(repr=False)
    ann: AnnValue | None = None

    @property
    def value(self) -> float | None:
        """Return the metric; None without labels."""
        return self.metrics.get(self.metric)

    @property
    def accuracy(self) -> float | None:
        """Return the share of right classes; None without labels, and where the output says no class."""
        return self.metrics.get("accuracy")

    def score(self, chosen: bool) -> float | None:
        """Return a figure of which more is better: the metric, R² in place of an error, or an error negated.

        Args:
            chosen: the user asked for this metric.
        """
        if self.value is None or self.metric not in ERRORS:
            return self.value
        return -self.value if chosen else self.metrics.get("r2", -self.value)

    def to_dict(self, curve: bool) -> dict[str, Any]:
        """Return the figures as JSON-able data, without the arrays; the curve on request."""
        plain = {
            "task": self.task,
            "metric": self.metric,
            "value": finite(self.value),
            "metrics": {name: finite(value) for name, value in self.metrics.items()},
            "accuracy": self.accuracy,
        }
        return {**plain, "curve": rounded(self.curve)} if curve else plain

    def rows(self, suffix: str) -> list[tuple[str, str]]:
        """Return the figures as (name, value with its unit), for a table.

        Args:
            suffix: of the names, such as " of digit".
        """
        others = [name for name in self.metrics if name != self.metric]
        return [
            (f"{title(self.metric)}{suffix}", written(self.metric, self.value)),
            *(() if self.ann is None else [(f"ANN on integer grid{suffix}", self._ann_in_words(self.ann))]),
            *((f"{title(name)}{suffix}", written(name, self.metrics[name])) for name in others),
            (f"task{suffix}", self.task),
        ]

    def in_words(self, value: float | None) -> str:
        """Return a value of the output's metric with its unit."""
        return written(self.metric, value)

    def _ann_in_words(self, found: AnnValue) -> str:
        ann, own = (written(self.metric, value) for value in (found.ann, found.network))
        if found.num_samples == len(self.predictions):
            return ann
        return f"{ann} of the first {found.num_samples:,}, spiking {own}"


def finite(value: float | None) -> float | None:
    """Return a figure as JSON can hold it: None for one that is infinite or no number."""
    return None if value is None or not np.isfinite(value) else float(value)


def rounded(curve: Array | None) -> list[float | None] | None:
    """Return a metric after each step as JSON-able data."""
    return None if curve is None else [finite(round(float(value), 6)) for value in curve]


def final_scores(head: Head, raw: Array) -> Array:
    """Return the scores after the last step as the model's output, float32, shape (N, size)."""
    with np.errstate(over="ignore"):  # infinite, as it is in Keras
        return head.values(raw, head.network.num_timesteps).astype(np.float32)


class OutputTally:
    """Add up an output's predictions and metrics batch by batch."""

    def __init__(self, head: Head, goal: Goal) -> None:
        self.head, self.goal = head, goal
        self.predictions: list[Array] = []
        self.num_steps = 0
        self.tallies = {metric.name: MetricTally(metric) for metric in goal.task.metrics}

    def add(self, scores: Array, labels: Array | None) -> None:
        """Add the scores of one batch, shape (batch, S, num_scores), and its labels."""
        found = predictions(self.goal.task, self.head, scores)
        self.predictions.append(found[:, -1])
        self.num_steps = found.shape[1]
        if labels is None:
            return
        for name, tally in self.tallies.items():
            tally.add(found if name == self.goal.metric.name else found[:, -1:], labels)

    def result(self, labels: Array | None, raw: Array) -> OutputResult:
        """Return the result over all batches.

        Args:
            labels: of all samples.
            raw: the scores of all samples after the last step.
        """
        network = self.head.network
        found = {} if labels is None else {name: tally.values(labels) for name, tally in self.tallies.items()}
        steps = {name: values for name, values in found.items() if values is not None}
        # without scores after every step there is no curve
        no_curve = network.code.staged or self.num_steps != network.num_timesteps
        shape = self.goal.task.predictions(np.zeros(self.head.readout.size)).shape
        kind = self.predictions[0].dtype if self.predictions else np.int64
        return OutputResult(
            task=self.goal.in_words(),
            metric=self.goal.metric.name,
            metrics={name: float(values[-1]) for name, values in steps.items()},
            curve=None if no_curve else steps.get(self.goal.metric.name),
            predictions=np.concatenate([np.zeros((0, *shape), kind), *self.predictions]),
            scores=final_scores(self.head, raw),
        )
