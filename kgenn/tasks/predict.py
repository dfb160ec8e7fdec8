"""From the scores of a network to what an output says."""

from __future__ import annotations

import numpy as np

from kgenn.ir.graph import Array
from kgenn.ir.scores import Head
from kgenn.tasks.base import Task


def predictions(task: Task, head: Head, scores: Array) -> Array:
    """Return what an output says of each sample after each step, shape (N, S, *label shape).

    Where the task and the model's activation only ask for the order of values, scores are compared as they are.

    Args:
        scores: of `Recording`, shape (N, S, num_scores): after every step, or after the last alone.
    """
    if task.by_order and head.end.keeps_order:
        return task.predictions(scores[..., head.columns])
    count, last = scores.shape[1], head.network.num_timesteps
    steps = range(last - count + 1, last + 1)
    return np.stack([task.predictions(head.values(scores[:, i], t)) for i, t in enumerate(steps)], axis=1)


def of_linear(task: Task, head: Head, linear: Array) -> Array:
    """Return what an output says for what the model's last weights give, shape (..., *label shape).

    Args:
        linear: shape (..., size).
    """
    return task.predictions(linear if task.by_order and head.end.keeps_order else head.activated(linear))
