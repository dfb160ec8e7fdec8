"""What outputs of a network say beside what its weights say as an ANN, on the first samples of a run."""

from __future__ import annotations

from dataclasses import dataclass

from kgenn.ir.graph import Array
from kgenn.tasks.base import Task


@dataclass(frozen=True, eq=False)
class Beside:
    """What an output says, three times over: predictions of shape (N, *label shape).

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
