"""From what a readout integrated to the model's outputs and predictions."""

from __future__ import annotations

import numpy as np

from kgenn.ir.graph import Array
from kgenn.ir.network import Network

# Above it a single sigmoid says class 1, as Keras' binary accuracy has it.
THRESHOLD = 0.5


def full_score(network: Network, steps: int) -> float:
    """Return what stands for λ after so many steps: a constant current of 1, or a spike at every step."""
    unit, span = network.populations[-1].unit, steps if network.code.steady else network.levels
    full = {"late-current": unit * steps * (steps + 1) * (2 * steps + 1) / 6, "current": unit * span}
    return full.get(network.readout, span)


def factors(network: Network, steps: int) -> Array:
    """Return what turns scores after so many steps into the model's units: shape (1,) or (channels,), float64."""
    return np.atleast_1d(np.asarray(network.populations[-1].scale, np.float64) / full_score(network, steps))


def in_model_units(network: Network, scores: Array, steps: int) -> Array:
    """Return scores after so many steps as what the model's last weights give, float64.

    Args:
        scores: of the readout, shape (..., num_outputs).
    """
    factor = factors(network, steps)
    value: Array = scores * np.tile(factor, scores.shape[-1] // len(factor))
    return value


def activated(network: Network, values: Array) -> Array:
    """Return the model's outputs for what its last weights give, both of shape (..., num_outputs), float64."""
    shaped = values.reshape(*values.shape[:-1], *network.populations[-1].shape)
    for activation in network.output_activations:
        shaped = activation.apply(shaped)
    return shaped.reshape(values.shape)


def outputs(network: Network, scores: Array, steps: int) -> Array:
    """Return scores after so many steps as the model's outputs, shape (..., num_outputs), float64."""
    return activated(network, in_model_units(network, scores, steps))


def classes(values: Array, binary: bool) -> Array:
    """Return the class that a model's outputs say: the largest, or of a single sigmoid whether it is above 0.5.

    Args:
        values: shape (..., num_outputs).
    """
    found: Array = (values[..., 0] > THRESHOLD).astype(np.int64) if binary else values.argmax(axis=-1)
    return found


def predictions(network: Network, scores: Array) -> Array:
    """Return the class of each sample after each step, shape (N, S).

    Where the model's activation keeps the order of its outputs, scores are compared as they are.

    Args:
        scores: of `Recording`, shape (N, S, num_outputs): after every step, or after the last alone.
    """
    shape = network.populations[-1].shape
    if not network.is_binary and all(a.keeps_order(shape) for a in network.output_activations):
        return classes(scores, binary=False)
    count = scores.shape[1]
    steps = range(network.num_timesteps - count + 1, network.num_timesteps + 1)
    found = [classes(outputs(network, scores[:, i], t), network.is_binary) for i, t in enumerate(steps)]
    return np.stack(found, axis=1)
