"""Bias correction removes the mean error of each channel, layer by layer."""

from __future__ import annotations

import numpy as np
import pytest

from kgenn.conversion.correction import shifts
from kgenn.conversion.quantisation import quantised
from kgenn.ir.graph import Array, Graph
from kgenn.layers.activation import ReLU
from kgenn.passes import LoweringOptions, lower
from networks import build, samples

LEVELS = 3


def scales_of(graph: Graph, x: Array) -> dict[str, Array]:
    values = dict(graph.forward(x))
    return {n.name: np.asarray(float(values[n.name].max())) for n in graph.nodes if isinstance(n.layer, ReLU)}


def quantised_forward(
    graph: Graph, x: Array, scales: dict[str, Array], shift: dict[str, Array]
) -> dict[str, Array]:
    """Return every node's value with quantised ReLUs whose biases are shifted."""
    values: dict[str, Array] = {}
    for node in graph.nodes:
        inputs = [values[s] for s in node.inputs] or [x]
        if isinstance(node.layer, ReLU):
            z = inputs[0] + shift.get(node.name, np.zeros(1)).astype(np.float32)
            values[node.name] = quantised(z, scales[node.name], LEVELS, True).astype(np.float32)
        else:
            values[node.name] = node.layer.forward(*inputs)
    return values


@pytest.mark.parametrize("name", ["dense_deep", "conv_same", "residual_relu", "concat_conv", "bias_conv"])
def test_shifts_are_the_mean_errors_given_the_corrected_layers_below(name: str) -> None:
    graph = lower(build(name), LoweringOptions())
    x = samples(graph, 100)
    scales = scales_of(graph, x)
    found = shifts(graph, x, lambda name, z: quantised(z, scales[name], LEVELS, True))
    model = dict(graph.forward(x))
    for node in graph.nodes:
        if isinstance(node.layer, ReLU):
            # what this layer says without its own shift, but with those of the layers below
            below = {key: shift for key, shift in found.items() if key != node.name}
            error = model[node.name] - quantised_forward(graph, x, scales, below)[node.name]
            expected = error.mean(axis=tuple(range(error.ndim - 1)), dtype=np.float64)
            np.testing.assert_allclose(found[node.name], expected, rtol=1e-4, atol=1e-5)
    (output,) = graph.outputs
    corrected = quantised_forward(graph, x, scales, found)[output] + found[output]
    np.testing.assert_allclose(corrected.mean(axis=0), model[output].mean(axis=0), rtol=1e-3, atol=1e-4)


def test_correction_removes_most_of_the_mean_error_of_samples_it_has_not_seen() -> None:
    graph = lower(build("residual_plain"), LoweringOptions())
    x, unseen = samples(graph, 200), samples(graph, 200, seed=8)
    scales = scales_of(graph, x)
    found = shifts(graph, x, lambda name, z: quantised(z, scales[name], LEVELS, True))
    (output,) = graph.outputs
    expected = graph.predict(unseen)
    plain = (quantised_forward(graph, unseen, scales, {})[output] - expected).mean(axis=0)
    corrected = (quantised_forward(graph, unseen, scales, found)[output] + found[output] - expected).mean(axis=0)
    assert np.abs(corrected).mean() < 0.3 * np.abs(plain).mean()
