"""Bias correction removes the mean error of each channel, layer by layer."""

from __future__ import annotations

import numpy as np
import pytest

from kgenn.conversion.correction import KEPT, ROUNDS, corrected, shifts
from kgenn.conversion.quantisation import quantised
from kgenn.conversion.twins import MIN_SAMPLES, affordable
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


GRAPHS = ("dense_deep", "conv_same", "residual_relu", "concat_conv", "bias_conv")


def errors_after(name: str, rounds: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Array, Array, Array]]:
    """Return each layer's shift and its mean error without it and with it, given the corrected layers below."""
    monkeypatch.setattr("kgenn.conversion.correction.ROUNDS", rounds)
    graph = lower(build(name), LoweringOptions())
    x = samples(graph, 100)
    scales = scales_of(graph, x)
    found = shifts(graph, x, lambda name, z: quantised(z, scales[name], LEVELS, True))
    model = dict(graph.forward(x))

    def error(node: str, shift: dict[str, Array]) -> Array:
        difference = model[node] - quantised_forward(graph, x, scales, shift)[node]
        return np.asarray(difference.mean(axis=tuple(range(difference.ndim - 1)), dtype=np.float64))

    errors = {}
    for node in (n.name for n in graph.nodes if isinstance(n.layer, ReLU)):
        below = {key: shift for key, shift in found.items() if key != node}
        errors[node] = found[node], error(node, below), error(node, found)
    (output,) = graph.ends
    errors[output] = found[output], error(output, found), error(output, found) - found[output]
    return errors


@pytest.mark.parametrize("name", GRAPHS)
def test_one_round_shifts_by_the_mean_error_given_the_corrected_layers_below(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    *layers, (_, _, left) = errors_after(name, 1, monkeypatch).values()
    assert layers
    for shift, before, _ in layers:
        np.testing.assert_allclose(shift, before, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(left, 0, atol=1e-4)


def test_rounds_leave_little_of_the_mean_error(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, left, least = 0.0, 0.0, 0.0
    for name in GRAPHS:  # in one layer of few samples a rounding more or less is much
        once, more = (errors_after(name, rounds, monkeypatch) for rounds in (1, ROUNDS))
        whole += sum(float(np.abs(before).mean()) for _, before, _ in more.values())
        left += sum(float(np.abs(after).mean()) for _, _, after in once.values())
        least += sum(float(np.abs(after).mean()) for _, _, after in more.values())
    assert least < 0.8 * left
    assert least < 0.1 * whole


def test_correction_removes_most_of_the_mean_error_of_samples_it_has_not_seen() -> None:
    graph = lower(build("residual_plain"), LoweringOptions())
    x, unseen = samples(graph, 200), samples(graph, 200, seed=8)
    scales = scales_of(graph, x)
    found = shifts(graph, x, lambda name, z: quantised(z, scales[name], LEVELS, True))
    (output,) = graph.ends
    expected = graph.predict(unseen)
    plain = (quantised_forward(graph, unseen, scales, {})[output] - expected).mean(axis=0)
    corrected = (quantised_forward(graph, unseen, scales, found)[output] + found[output] - expected).mean(axis=0)
    assert np.abs(corrected).mean() < 0.3 * np.abs(plain).mean()


def test_samples_whose_activations_take_too_much_memory_are_left_out_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graph = lower(build("residual_plain"), LoweringOptions())
    x = samples(graph, 100)
    scales = scales_of(graph, x)

    def quantise(name: str, z: Array) -> Array:
        return quantised(z, scales[name], LEVELS, True)

    assert corrected(scales, graph, x, quantise).notes == ()
    # what is kept at once is at least the input and what the first layer makes of it, twice, in four bytes
    first, second = (int(np.prod(graph.shapes[node.name])) for node in graph.nodes[:2])
    monkeypatch.setattr("kgenn.conversion.twins.MAX_BYTES", 40 * 8 * (first + second))
    count = affordable(graph, KEPT)
    assert MIN_SAMPLES < count <= 40
    found = corrected(scales, graph, x, quantise)
    assert found.notes == (f"biases are corrected on {count} of 100 calibration samples, to save time and memory",)
    few = shifts(graph, x[np.arange(count) * 100 // count], quantise)
    assert all(np.array_equal(found.shifts[name], shift) for name, shift in few.items())
    monkeypatch.setattr("kgenn.conversion.twins.MAX_BYTES", 1)
    assert affordable(graph, KEPT) == MIN_SAMPLES
