"""Correct biases, layer by layer, by the mean error that quantised activations make on the calibration set.

The lowered graph is computed twice at once: as it is, and with each ReLU replaced by what its spike trains say.
At each ReLU, with z what arrives in the second and a the ReLU's value in the first, the channel's bias is
shifted by the mean of a − q(z). What is rounded and clipped is no longer the same then, so that a mean error is
left: twice more the shift grows by the mean of a − q(z + shift). The second goes on with the last q(z + shift).
So each layer is corrected for what really comes from the layers before it, and so is the output. The input
counts as exact: what its encoder rounds stays.

Source: Nagel et al. 2019, arXiv:1906.04721 (bias correction of quantised networks); Li et al. 2021,
arXiv:2106.06984 (the same idea for spiking networks).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kgenn.ir.graph import Array, Graph, Input, Layer, Node
from kgenn.layers.activation import ReLU

CITATIONS = ("nagel2019", "li2021calibration")
# Samples that a layer computes at once.
BATCH = 64
# Samples that are kept, twice, at every layer: more of them change shifts by little.
MOST_SAMPLES = 1024
# Times that a shift is corrected: further ones change it by little.
ROUNDS = 3

# Returns what the spike trains of a ReLU say of the pre-activation: (name, z) to the activation, both (N, ...).
Spoken = Callable[[str, Array], Array]


@dataclass(frozen=True, eq=False)
class Twin:
    """A node's value in the model, and in the network that sends quantised activations; shape (N, ...)."""

    model: Array
    network: Array


def shifts(graph: Graph, samples: Array, spoken: Spoken) -> dict[str, Array]:
    """Return the shift of each ReLU and of the output, in units of activation, shape (channels,).

    Args:
        graph: lowered, with one output.
        samples: shape (N, *input shape); the first `MOST_SAMPLES` are used.
        spoken: what spike trains say.
    """
    (output,) = graph.outputs
    last_use = {source: node.name for node in graph.nodes for source in node.inputs}
    values: dict[str, Twin] = {}
    found: dict[str, Array] = {}
    for node in graph.nodes:
        arguments = [values[s] for s in node.inputs]
        values[node.name], shift = _computed(node, arguments, samples[:MOST_SAMPLES], spoken)
        if shift is not None:
            found[node.name] = shift
        elif node.name == output:
            found[output] = _mean_difference(values[output])
        for source in node.inputs:
            if last_use[source] == node.name:
                values.pop(source, None)
    return found


def _computed(node: Node, inputs: list[Twin], samples: Array, spoken: Spoken) -> tuple[Twin, Array | None]:
    if isinstance(node.layer, Input):
        x = _batched(node.layer, np.asarray(samples, np.float32))
        return Twin(x, x), None
    model = _batched(node.layer, *(twin.model for twin in inputs))
    if not isinstance(node.layer, ReLU):
        return Twin(model, _batched(node.layer, *(twin.network for twin in inputs))), None
    arriving = inputs[0].network
    shift = np.zeros(model.shape[-1])
    sent = spoken(node.name, arriving)
    for _ in range(ROUNDS):
        shift += _mean_difference(Twin(model, sent))
        sent = spoken(node.name, arriving + shift.astype(np.float32))
    return Twin(model, sent.astype(np.float32)), shift


def _mean_difference(twin: Twin) -> Array:
    axes = tuple(range(twin.model.ndim - 1))
    return np.asarray(np.mean(twin.model - twin.network, axis=axes, dtype=np.float64))


def _batched(layer: Layer, *inputs: Array) -> Array:
    """Return a layer's value, computed some samples at a time."""
    starts = range(0, len(inputs[0]), BATCH)
    return np.concatenate([layer.forward(*(x[start : start + BATCH] for x in inputs)) for start in starts])
