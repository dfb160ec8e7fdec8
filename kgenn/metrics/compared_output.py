"""Outputs of a network beside those of its weights as an ANN, on the first samples of a run."""

from __future__ import annotations

from dataclasses import dataclass

from kgenn.ir.graph import Array
from kgenn.tasks.base import Task
from kgenn.tasks.segmentation import Segmentation


@dataclass(frozen=True, eq=False)
class ComparedOutput:
    """Predictions of an output by model and network, and its labels, each of shape (N, *label shape).

    Attributes:
        task: of the output.
        model: what the network's weights, the model's on the network's grid, give as an ANN.
        network: what the spiking network gives.
        labels: what is right; None without labels.
    """

    task: Task
    model: Array
    network: Array
    labels: Array | None


def form_of(output: ComparedOutput) -> str | None:
    """Return how an output is drawn: "map", "signal", "points"; None of one that is classes or labels."""
    if isinstance(output.task, Segmentation):
        return {2: "map", 1: "signal"}.get(output.model.ndim - 1)
    if output.model.dtype.kind != "f":
        return None
    shape = output.task.end.shape
    if len(shape) == 3 and min(shape[:2]) > 1:
        return "map"
    return "signal" if len(shape) == 2 and shape[0] > 1 else "points"
