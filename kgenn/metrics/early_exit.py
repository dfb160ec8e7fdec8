"""End each sample when its scores are clear: what that saves, and what it costs in accuracy.

After t steps the scores so far stand for the model's outputs: the readout divided by what a constant current of 1
would have scored in t steps. The sample ends at the first step at which the largest probability of their softmax,
or that of a single sigmoid's answer, reaches the confidence asked for, at the latest after T. An output that says
no class has nothing to be sure of. All simulators give the same scores, so that the decision
is the same everywhere. Spikes count in the first t steps of every population.
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
from kgenn.tasks.base import Task
from kgenn.tasks.goal import Goal
from kgenn.tasks.predict import predictions


@dataclass(frozen=True, eq=False)
class EarlyExit:
    """The outcome where each sample ends once it is decided.

    Attributes:
        confidence: the least probability of the largest score, in (0, 1].
        accuracy: of the predictions at the exits, 0 to 1; None without labels.
        mean_timesteps: of the steps until the exit.
        spikes_per_neuron, synaptic_operations: means of one inference until its exit.
        timesteps: shape (N,), the steps of each sample, 1 to T.
        predictions: shape (N,), the class of each sample at its exit.
    """

    confidence: float
    accuracy: float | None
    mean_timesteps: float
    spikes_per_neuron: float
    synaptic_operations: float
    timesteps: Array = field(repr=False)
    predictions: Array = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON-able data, without the arrays."""
        return {
            "confidence": self.confidence,
            "accuracy": self.accuracy,
            "mean_timesteps": self.mean_timesteps,
            "spikes_per_neuron": self.spikes_per_neuron,
            "synaptic_operations": self.synaptic_operations,
        }

    def rows(self) -> list[tuple[str, str]]:
        """Return the figures as (name, value with its unit), for a table."""
        accuracy = "no labels" if self.accuracy is None else f"{100 * self.accuracy:.2f} %"
        return [
            ("early exit", f"{self.mean_timesteps:.2f} timesteps on average, confidence {self.confidence:g}"),
            ("– accuracy", accuracy),
            ("– spikes per neuron", f"{self.spikes_per_neuron:.3f}"),
            ("– synaptic operations", f"{self.synaptic_operations:,.0f} per sample"),
        ]


def exit_steps(head: Head, task: Task, scores: Array, confidence: float) -> Array:
    """Return the steps that each sample needs, 1 to T, shape (N,).

    Args:
        scores: of `Recording`, after every step, shape (N, T, num_scores).
    """
    last = head.network.num_timesteps
    needed = np.full(len(scores), last)
    for t in range(last, 0, -1):
        found = task.confidence(head.in_model_units(scores[:, t - 1], t))
        assert found is not None, "the task has no classes to be sure of"
        needed[found >= confidence] = t
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
        head, *others = heads_of(network)
        if others:
            names = ", ".join(output.name for output in network.outputs)
            what = f"the network has the outputs {names}; a sample ends once one output is sure"
            raise fail("KG401", "early exit", what, "run it without --early-exit")
        task = goals[head.name].task
        if task.confidence(np.zeros((1, head.readout.size))) is None:
            what = f"the task of the output is {task.name}, which has no classes to be sure of"
            raise fail("KG401", "early exit", what, "run it without --early-exit")
        self.network, self.head, self.task, self.confidence = network, head, task, confidence
        self.timesteps: list[Array] = []
        self.predictions: list[Array] = []
        self.correct = 0
        self.counts = {p.name: np.zeros(p.size, np.int64) for p in network.spiking}

    def add(self, recording: Recording, labels: Array | None) -> None:
        """Add one batch with its scores after every step and all its spikes; `labels` are classes, (batch,)."""
        assert recording.raster is not None, "the recording has no spikes"
        needed = exit_steps(self.head, self.task, recording.scores, self.confidence)
        classes = predictions(self.task, self.head, recording.scores)[np.arange(len(needed)), needed - 1]
        self.timesteps.append(needed)
        self.predictions.append(classes)
        if labels is not None:
            self.correct += int((classes == labels).sum())
        for population in self.network.spiking:
            for raster, steps in zip(recording.raster[population.name], needed, strict=True):
                self.counts[population.name] += spike_counts(population, raster[:steps])

    def result(self, labelled: bool) -> EarlyExit:
        """Return the outcome over all batches."""
        timesteps = np.concatenate([np.zeros(0, np.int64), *self.timesteps])
        num_samples = max(len(timesteps), 1)
        return EarlyExit(
            confidence=self.confidence,
            accuracy=self.correct / num_samples if labelled else None,
            mean_timesteps=float(timesteps.sum()) / num_samples,
            spikes_per_neuron=spikes_per_neuron(self.network, self.counts, num_samples),
            synaptic_operations=synaptic_operations(self.network, self.counts, num_samples),
            timesteps=timesteps,
            predictions=np.concatenate([np.zeros(0, np.int64), *self.predictions]),
        )
