"""Measure what a network loses of its model on a data set, in points of the metrics of its outputs.

`kgenn.tasks.loss` says what a point is. Without labels, what the model says is right.

What a few hundred samples say of a loss is uncertain, and the smallest of many losses is too small by chance. So a
loss is within a limit where it is by `ERRORS` standard errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kgenn.conversion.base import Simulate
from kgenn.conversion.outputs import ends_of
from kgenn.ir.graph import Array, Graph
from kgenn.ir.network import Network
from kgenn.ir.recording import RecordingOptions
from kgenn.ir.samples import Samples
from kgenn.ir.scores import heads_of
from kgenn.tasks.labelled_goals import LabelledGoals, labelled_goals
from kgenn.tasks.loss import LossTally
from kgenn.tasks.metric import Metric, MetricTally, written
from kgenn.tasks.predict import predictions

# Standard errors by which a loss is within the limit: 1 of 40 such losses is larger.
ERRORS = 2.0


@dataclass(frozen=True, eq=False)
class Losses:
    """What a network loses after each of some steps, in points.

    Attributes:
        lost: the mean over the samples.
        error: its standard error.
    """

    lost: Array
    error: Array

    def worst(self) -> Losses:
        """Return for losses of several outputs, shape (outputs, steps), that of the worst after each step."""
        row = np.argmax(self.lost + ERRORS * self.error, axis=0), np.arange(self.lost.shape[1])
        return Losses(self.lost[row], self.error[row])

    def within(self, limit: float) -> Array:
        """Tell where the loss is surely within a limit."""
        within: Array = self.lost + ERRORS * self.error <= limit
        return within


@dataclass(frozen=True, eq=False)
class Baseline:
    """What a network is compared with.

    Attributes:
        graph: the model.
        samples: as the model takes them.
        labelled: what its outputs are for, with the labels of some.
    """

    graph: Graph
    samples: Samples
    labelled: LabelledGoals

    @staticmethod
    def of(graph: Graph, samples: Samples) -> Baseline:
        """Return that of samples without labels, with guessed tasks."""
        return Baseline(graph, samples, labelled_goals(ends_of(graph), {}, {}, len(samples)))

    @property
    def measured(self) -> str:
        """Return what a loss is of: what the metrics measure, or agreement with the model without labels."""
        if not self.labelled.labels:
            return "agreement"
        found = (self._judge(name) for name in self.labelled.labels)
        return ", ".join(dict.fromkeys(metric.pointed or metric.title for metric in found))

    @cached_property
    def predictions(self) -> dict[str, Array]:
        """Return what the model says, of each output by its name, shape (N, *label shape) each."""
        found = self.graph.output_values(self.samples)
        return {
            name: self.labelled.goals[name].task.predictions(v.reshape(len(v), -1)) for name, v in found.items()
        }

    @cached_property
    def right(self) -> dict[str, Array]:
        """Return what is right, of each output by its name, shape (N, *label shape) each."""
        return {**self.predictions, **self.labelled.labels}

    @property
    def constant_outputs(self) -> tuple[str, ...]:
        """Return the outputs whose values are to be equal for all samples, so that no error has a unit."""
        values = (name for name in self.right if not self.labelled.goals[name].task.classes.predicted)
        return tuple(name for name in values if (self.right[name] == self.right[name][:1]).all())

    def _judge(self, name: str) -> Metric:
        """Return the metric that judges an output: its own, where the model has a value of it."""
        goal = self.labelled.goals[name]
        return goal.metric if goal.metric.compares or name in self.labelled.labels else goal.task.metrics[0]

    def values(self) -> dict[str, float]:
        """Return the metric of the model, of each output that has labels."""
        found = {}
        for name, labels in self.labelled.labels.items():
            tally = MetricTally(self.labelled.goals[name].metric)
            tally.add(self.predictions[name][:, None], labels)
            values = tally.values(labels)
            if values is not None:
                found[name] = float(values[0])
        return found

    def in_words(self) -> str:
        """Return what `values` gives, in words: little where the labels are not those of the samples."""
        found = ((self.labelled.goals[name].metric, value) for name, value in self.values().items())
        return ", ".join(f"{metric.title} {written(metric.name, value)}" for metric, value in found)

    def losses(self, network: Network, simulate: Simulate, curve: bool) -> Losses:
        """Return the points lost after each step by the worst output, shape (T,), or (1,) after the last alone.

        That is the output whose loss is the least sure to be within a limit.
        """
        heads, steps, start = heads_of(network), network.num_timesteps if curve else 1, 0
        tallies = [LossTally(self._judge(head.name), self.right[head.name], steps) for head in heads]
        for recording in simulate(network, self.samples, RecordingOptions(curve=curve)):
            scores = recording.scores if curve else recording.scores[:, -1:]
            for head, tally in zip(heads, tallies, strict=True):
                predicted = predictions(self.labelled.goals[head.name].task, head, scores)
                tally.add(self.predictions[head.name][start : start + len(scores)], predicted, start)
            start += len(scores)
        lost, errors = np.array([tally.losses() for tally in tallies]).swapaxes(0, 1)
        return Losses(lost, errors).worst()
