"""Scores in the model's units."""

from __future__ import annotations

import numpy as np

from kgenn.ir.graph import Array
from kgenn.ir.network import Network


def full_score(network: Network, steps: int) -> float:
    """Return what stands for λ after so many steps: a constant current of 1, or a spike at every step."""
    unit, span = network.populations[-1].unit, steps if network.code.steady else network.levels
    full = {"late-current": unit * steps * (steps + 1) * (2 * steps + 1) / 6, "current": unit * span}
    return full.get(network.readout, span)


def in_model_units(network: Network, scores: Array, steps: int) -> Array:
    """Return scores after so many steps as the model's outputs, float64.

    Args:
        scores: of the readout, shape (..., num_classes).
    """
    value: Array = scores * (np.asarray(network.populations[-1].scale, np.float64) / full_score(network, steps))
    return value


def softmax(scores: Array) -> Array:
    """Return the probability of each class, over the last axis, in float64."""
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    probability: Array = raised / raised.sum(axis=-1, keepdims=True)
    return probability
