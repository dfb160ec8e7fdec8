"""Measure what a network loses of its model on a data set, in points of what the tasks of its outputs ask for.

A prediction is worth 100 points where it is right; maps and labels have the share that is right, values the R² of
`kgenn.tasks.regression`. Without labels, what the model says is right.

What a few hundred samples say of a loss is uncertain, and the smallest of many losses is too small by chance. So a
loss is within a limit where it is by `ERRORS` standard errors: with dᵢ the points that sample i lost, mean(d) +
2·std(d)/√N.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kgenn.conversion.base import Simulate
from kgenn.conversion.outputs import ends_of
from kgenn.ir.graph import Array, Graph
from kgenn.ir.network import Network
from kgenn.ir.recording import Wanted
from kgenn.ir.samples import Samples
from kgenn.ir.scores import heads_of
from kgenn.tasks.aims import Aims, aims_of
from kgenn.tasks.metric import MetricTally
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
class Yardstick:
    """What a network is compared with.

    Attributes:
        graph: the model.
        samples: as the model takes them.
        aims: what its outputs are for, with the labels of some.
    """

    graph: Graph
    samples: Samples
    aims: Aims

    @staticmethod
    def of(graph: Graph, samples: Samples) -> Yardstick:
        """Return that of samples without labels, with guessed tasks."""
        return Yardstick(graph, samples, aims_of(ends_of(graph), {}, {}, len(samples)))

    @property
    def measured(self) -> str:
        """Return what a loss is of: what the tasks are measured by, or agreement with the model without labels."""
        if not self.aims.labels:
            return "agreement"
        found = (self.aims.goals[name].task.pointed for name in self.aims.labels)
        return ", ".join(dict.fromkeys(found))

    @cached_property
    def predictions(self) -> dict[str, Array]:
        """Return what the model says, of each output by its name, shape (N, *label shape) each."""
        given = self.graph.predict(self.samples)
        values = given if isinstance(given, tuple) else (given,)
        pairs = zip(self.graph.outputs, values, strict=True)
        return {o.name: self.aims.goals[o.name].task.predictions(v.reshape(len(v), -1)) for o, v in pairs}

    @cached_property
    def right(self) -> dict[str, Array]:
        """Return what is right, of each output by its name, shape (N, *label shape) each."""
        return {**self.predictions, **self.aims.labels}

    @cached_property
    def points(self) -> dict[str, Array]:
        """Return the points of the model for each sample, of each output by its name, shape (N,) each."""
        every = slice(None)
        return {name: self._points(name, said[:, None], every)[:, 0] for name, said in self.predictions.items()}

    def _points(self, name: str, found: Array, part: slice) -> Array:
        right = self.right[name]
        return self.aims.goals[name].task.points(found, right[part], right)

    def values(self) -> dict[str, float]:
        """Return the metric of the model, of each output that has labels."""
        found = {}
        for name, labels in self.aims.labels.items():
            tally = MetricTally(self.aims.goals[name].metric)
            tally.add(self.predictions[name][:, None], labels)
            values = tally.values(labels)
            if values is not None:
                found[name] = float(values[0])
        return found

    def losses(self, network: Network, simulate: Simulate, curve: bool) -> Losses:
        """Return the points lost after each step by the worst output, shape (T,), or (1,) after the last alone.

        That is the output whose loss is the least sure to be within a limit.
        """
        heads, steps, start = heads_of(network), network.num_timesteps if curve else 1, 0
        lost, squared = np.zeros((2, len(heads), steps))
        for recording in simulate(network, self.samples, Wanted(curve=curve)):
            scores = recording.scores if curve else recording.scores[:, -1:]
            part = slice(start, start + len(scores))
            for i, head in enumerate(heads):
                task = self.aims.goals[head.name].task
                off = self.points[head.name][part, None] - self._points(
                    head.name, predictions(task, head, scores), part
                )
                lost[i] += off.sum(axis=0)
                squared[i] += (off**2).sum(axis=0)
            start += len(scores)
        mean = lost / len(self.samples)
        variance = np.maximum(squared / len(self.samples) - mean**2, 0)
        return Losses(mean, np.sqrt(variance / len(self.samples))).worst()
