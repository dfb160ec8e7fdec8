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

from collections.abc import Callable, Mapping
from math import prod

import numpy as np

from kgenn.conversion.activations import BATCH
from kgenn.conversion.base import Settings
from kgenn.conversion.twins import PairedValues, affordable, batched, batches, some_of, walked
from kgenn.ir.graph import Array, Graph, Input, Node
from kgenn.ir.samples import Samples
from kgenn.layers.activation import ReLU

CITATIONS = ("nagel2019", "li2021calibration")
# Arrays of each value that are kept: the model's and the network's.
KEPT = 2
# Times that a shift is corrected: further ones change it by little.
ROUNDS = 3

# Returns what the spike trains of a ReLU say of the pre-activation: (name, z) to the activation, both (N, ...).
Quantise = Callable[[str, Array], Array]


def corrected(scales: Mapping[str, Array], graph: Graph, samples: Samples, quantise: Quantise) -> Settings:
    """Return settings of these scales with the shift of each ReLU and of each output, shape (channels,).

    Args:
        graph: lowered.
        samples: of which the first `MAX_SAMPLES` are used, or some of them, evenly spaced, where
            memory does not hold as many.
        quantise: what spike trains say.
    """
    kept, notes = some_of(samples, affordable(graph, KEPT), "biases are corrected")
    return Settings(scales, shifts(graph, kept, quantise), notes=notes)


def shifts(graph: Graph, samples: Samples, quantise: Quantise) -> dict[str, Array]:
    """Return the shift of each ReLU and of each output, in units of activation; arguments as of `corrected`."""
    size, given = graph.batch_size(BATCH), graph.samples(samples)
    found: dict[str, Array] = {}

    def compute(node: Node, inputs: list[PairedValues]) -> PairedValues:
        twin, shift = _computed(node, inputs, given, quantise, size)
        if shift is not None:
            found[node.name] = shift
        return twin

    for node, twin in walked(graph, compute):
        if node.name in graph.ends and node.name not in found:
            found[node.name] = _mean_difference(twin, lambda sent: sent, size)
    return found


def _computed(
    node: Node, inputs: list[PairedValues], samples: Samples, quantise: Quantise, size: int
) -> tuple[PairedValues, Array | None]:
    """Return a node's values and the shift of a ReLU, computed for `size` samples at a time."""
    if isinstance(node.layer, Input):
        x = batched(node.layer.forward, size, samples.arrays[node.name])
        return PairedValues(x, x), None
    model = batched(node.layer.forward, size, *(twin.model for twin in inputs))
    if not isinstance(node.layer, ReLU):
        return PairedValues(model, batched(node.layer.forward, size, *(twin.network for twin in inputs))), None
    arriving = inputs[0].network
    shift = np.zeros(model.shape[-1])

    def sent(z: Array) -> Array:
        return quantise(node.name, z + shift.astype(np.float32))

    for _ in range(ROUNDS):
        shift = shift + _mean_difference(PairedValues(model, arriving), sent, size)
    return PairedValues(model, batched(sent, size, arriving)), shift


def _mean_difference(twin: PairedValues, sent: Callable[[Array], Array], size: int) -> Array:
    """Return the mean of the model's value less what the network sends for its own, shape (channels,)."""
    axes = tuple(range(twin.model.ndim - 1))
    total = np.zeros(twin.model.shape[-1])
    for part in batches(len(twin.model), size):
        total += np.sum(twin.model[part] - sent(twin.network[part]), axis=axes, dtype=np.float64)
    return total / prod(twin.model.shape[:-1])
