"""End each sample when its scores are clear: what that saves, and what it costs in the metric of each output.

After t steps the scores so far stand for the model's outputs: the readout divided by what a constant current of 1
would have scored in t steps. The sample ends at the first step at which each class that the outputs say has the
probability asked for, at the latest after T: of classes the largest of their softmax, of sigmoids that of their
answer, of labels and maps that of the least sure one. An output that says no class has nothing to be sure of. All
simulators give the same scores, so that the decision is the same everywhere. Spikes count in the first t steps of
every population.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kgenn.config import number
from kgenn.diagnostics import fail
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from kgenn.ir.recording import Recording
from kgenn.ir.scores import Head, heads_of
from kgenn.metrics.counts import spike_counts, spikes_per_neuron, synaptic_operations
from kgenn.metrics.output_result import finite
from kgenn.tasks.base import Task
from kgenn.tasks.goal import Goal
from kgenn.tasks.metric import MetricTally, title, written
from kgenn.tasks.predict import predictions


@dataclass(frozen=True, eq=False)
class ExitOutput:
    """What an output says at the exits.

    Attributes:
        metric: of the output's task.
        metrics: every metric of the task by its name; empty without labels.
        predictions: what it says of each sample at its exit, shape (N, ...).
    """

    metric: str
    metrics: Mapping[str, float]
    predictions: Array = field(repr=False)

    @property
    def value(self) -> float | None:
        """Return the metric; None without labels."""
        return self.metrics.get(self.metric)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON-able data."""
        metrics = {name: finite(value) for name, value in self.metrics.items()}
        figures = {"metric": self.metric, "value": finite(self.value), "metrics": metrics}
        return {**figures, "accuracy": self.metrics.get("accuracy")}


@dataclass(frozen=True, eq=False)
class EarlyExit:
    """The outcome where each sample ends once it is decided.

    `accuracy`, `metric`, `value` and `predictions` are those of the first output.

    Attributes:
        confidence: the least probability of a class, in (0, 1].
        mean_timesteps: of the steps until the exit.
        spikes_per_neuron, synaptic_operations: means of one inference until its exit.
        timesteps: shape (N,), the steps of each sample, 1 to T.
        outputs: of each output by its name.
    """

    confidence: float
    mean_timesteps: float
    spikes_per_neuron: float
    synaptic_operations: float
    timesteps: Array = field(repr=False)
    outputs: Mapping[str, ExitOutput] = field(repr=False)

    @property
    def first(self) -> ExitOutput:
        """Return what the first output says."""
        return next(iter(self.outputs.values()))

    @property
    def accuracy(self) -> float | None:
        """Return the share of right classes; None without labels, and where the output says several classes."""
        return self.first.metrics.get("accuracy")

    @property
    def metric(self) -> str:
        """Return the name of the metric."""
        return self.first.metric

    @property
    def value(self) -> float | None:
        """Return the metric; None without labels."""
        return self.first.value

    @property
    def predictions(self) -> Array:
        """Return what it says of each sample at its exit."""
        return self.first.predictions

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON-able data, without the arrays."""
        several = {"outputs": {name: own.to_dict() for name, own in self.outputs.items()}}
        return {
            "confidence": self.confidence,
            **self.first.to_dict(),
            "mean_timesteps": self.mean_timesteps,
            "spikes_per_neuron": self.spikes_per_neuron,
            "synaptic_operations": self.synaptic_operations,
            **(several if len(self.outputs) > 1 else {}),
        }

    def rows(self) -> list[tuple[str, str]]:
        """Return the figures as (name, value with its unit), for a table."""
        named = [(f" of {name}" * (len(self.outputs) > 1), own) for name, own in self.outputs.items()]
        return [
            ("early exit", f"{self.mean_timesteps:.2f} timesteps on average, confidence {self.confidence:g}"),
            *((f"– {title(own.metric)}{suffix}", written(own.metric, own.value)) for suffix, own in named),
            ("– spikes per neuron", f"{self.spikes_per_neuron:.3f}"),
            ("– synaptic operations", f"{self.synaptic_operations:,.0f} per sample"),
        ]


def exit_steps(heads: Mapping[Head, Task], scores: Array, confidence: float) -> Array:
    """Return the steps that each sample needs, 1 to T, shape (N,).

    Args:
        heads: of the network, each with its task.
        scores: of `Recording`, after every step, shape (N, T, num_scores).
    """
    last = scores.shape[1]
    needed = np.full(len(scores), last)
    for t in range(last, 0, -1):
        sure = np.ones(len(scores), np.bool_)
        for head, task in heads.items():
            found = task.confidence(head.in_model_units(scores[:, t - 1], t))
            assert found is not None, "the task has no classes to be sure of"
            sure &= found >= confidence
        needed[sure] = t
    return needed


class ExitTally:
    """Add up traced recordings batch by batch, each sample until its exit.

    Raises:
        KgennError: KG401 for a confidence out of range, or a network that decides once, at its end.
    """

    def __init__(self, network: Network, confidence: float, goals: Mapping[str, Goal]) -> None:
        confidence = number("early exit", confidence)
        if not 0 < confidence <= 1:
            raise fail("KG401", "early exit", f"the confidence is {confidence:g}; it lies in (0, 1]")
        if network.code.staged:
            what = "the network works in stages: its readout decides once, after the last"
            raise fail("KG401", "early exit", what, "compile with a rate-coded converter, such as data-norm")
        self.network, self.goals, self.confidence = network, goals, confidence
        self.heads = {head: goals[head.name].task for head in heads_of(network)}
        for head, task in self.heads.items():
            if task.confidence(np.zeros((1, head.readout.size))) is None:
                what = f"the task of output {head.name} is {task.name}, with no classes to be sure of"
                raise fail("KG401", "early exit", what, "run it without --early-exit")
        self.timesteps: list[Array] = []
        self.predictions: dict[str, list[Array]] = {head.name: [] for head in self.heads}
        self.tallies = {name: [MetricTally(m) for m in goal.task.metrics] for name, goal in goals.items()}
        self.counts = {p.name: np.zeros(p.size, np.int64) for p in network.spiking}

    def add(self, recording: Recording, labels: Mapping[str, Array]) -> None:
        """Add one batch with its scores after every step and all its spikes, and labels of some outputs."""
        assert recording.raster is not None, "the recording has no spikes"
        needed = exit_steps(self.heads, recording.scores, self.confidence)
        self.timesteps.append(needed)
        for head, task in self.heads.items():
            predicted = predictions(task, head, recording.scores)[np.arange(len(needed)), needed - 1]
            self.predictions[head.name].append(predicted)
            if head.name in labels:
                for tally in self.tallies[head.name]:
                    tally.add(predicted[:, None], labels[head.name])
        for population in self.network.spiking:
            for raster, steps in zip(recording.raster[population.name], needed, strict=True):
                self.counts[population.name] += spike_counts(population, raster[:steps])

    def result(self, labels: Mapping[str, Array]) -> EarlyExit:
        """Return the outcome over all batches; `labels` are of all samples, for some outputs by their names."""
        timesteps = np.concatenate([np.zeros(0, np.int64), *self.timesteps])
        num_samples = max(len(timesteps), 1)
        return EarlyExit(
            confidence=self.confidence,
            mean_timesteps=float(timesteps.sum()) / num_samples,
            spikes_per_neuron=spikes_per_neuron(self.network, self.counts, num_samples),
            synaptic_operations=synaptic_operations(self.network, self.counts, num_samples),
            timesteps=timesteps,
            outputs={head.name: self._output(head, labels.get(head.name)) for head in self.heads},
        )

    def _output(self, head: Head, labels: Array | None) -> ExitOutput:
        goal = self.goals[head.name]
        found = {} if labels is None else {t.metric.name: t.values(labels) for t in self.tallies[head.name]}
        metrics = {name: float(values[0]) for name, values in found.items() if values is not None}
        shape = goal.task.predictions(np.zeros(head.readout.size)).shape
        predicted = np.concatenate([np.zeros((0, *shape), np.int64), *self.predictions[head.name]])
        return ExitOutput(goal.metric.name, metrics, predicted)
