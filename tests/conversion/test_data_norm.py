"""Data-norm: scales are percentiles of activations, rates become activations as T grows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kgenn
from covering import covering
from kgenn.backends.reference import ReferenceSimulator
from kgenn.backends.simulate import simulate
from kgenn.conversion import CONVERTERS
from kgenn.conversion.activations import percentiles
from kgenn.conversion.convert import convert_graph
from kgenn.conversion.data_norm import DataNorm
from kgenn.conversion.recipe import recipe_of
from kgenn.conversion.unscaled import Unscaled
from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Array, Graph
from kgenn.ir.network import ReadoutKind
from kgenn.layers.activation import ReLU
from kgenn.layers.dense import Dense
from kgenn.layers.merge import Add
from kgenn.passes import LoweringOptions, lower
from kgenn.passes.readout import fit_readout
from networks import ALLOW, RECIPES, Build, build, samples
from recordings import converted


def activations(graph: Graph, x: Array) -> dict[str, Array]:
    """Return the activation of every ReLU over all samples at once."""
    return {n: a for n, a in graph.forward(x) if isinstance(graph.by_name[n].layer, ReLU)}


@pytest.mark.quick
@pytest.mark.parametrize("percentile", [100.0, 99.9, 99.0, 50.0])
@pytest.mark.parametrize("channelwise", [False, True])
@pytest.mark.parametrize("name", ["dense", "conv_same", "residual_shortcut", "conv1d_pool"])
def test_percentiles_are_those_of_numpy_over_all_activations(
    name: str, percentile: float, channelwise: bool
) -> None:
    graph = lower(build(name), LoweringOptions())
    # more samples than one batch of the calibration
    x = samples(graph, 150)
    found = percentiles(graph, x, percentile, channelwise)
    for node, value in activations(graph, x).items():
        rows = value.reshape(-1, value.shape[-1]).astype(np.float64)
        expected = np.percentile(rows, percentile, axis=0 if channelwise else None)
        assert found[node].shape == ((value.shape[-1],) if channelwise else ())
        np.testing.assert_allclose(found[node], expected, rtol=1e-6, atol=1e-9)


@given(st.integers(1, 140), st.floats(0.1, 100))
def test_percentiles_do_not_depend_on_how_samples_fall_into_batches(count: int, percentile: float) -> None:
    graph = build("dense")
    x = samples(graph, count)
    (value,) = activations(graph, x).values()
    (found,) = percentiles(graph, x, percentile, False).values()
    np.testing.assert_allclose(found, np.percentile(value.astype(np.float64), percentile), rtol=1e-6, atol=1e-9)


def test_scales_can_be_at_least_the_largest_weight() -> None:
    graph = lower(build("residual_shortcut"), LoweringOptions())
    x = samples(graph, 20) * 1e-3
    scales = DataNorm(include_weights=True, channelwise=False).scales(graph, x)
    conv, shortcut = graph.by_name["conv_5"].layer, graph.by_name["conv_6"].layer
    assert scales["relu_8"] == max(conv.kernel.max(), shortcut.kernel.max())  # type: ignore[attr-defined]
    assert (DataNorm().scales(graph, x)["relu_8"] < scales["relu_8"]).all()


def test_a_cap_bounds_the_scale() -> None:
    graph = lower(build("relu_cap"), LoweringOptions())
    assert DataNorm(percentile=100).scales(graph, 9 * samples(graph, 20))["relu_2"] == pytest.approx(0.6)


def silent(b: Build) -> Graph:
    x = b.conv_relu("input", 3)
    dead = b.add(ReLU(), b.add(Dense(np.full((3, 3), -1.0, np.float32), None), x))  # type: ignore[attr-defined]
    return b.graph(b.classify(b.relu(b.add(Add(), x, dead))))  # type: ignore[attr-defined]


def test_every_layer_that_is_silent_on_the_calibration_set_is_named() -> None:
    graph = silent(Build("silent", (4, 4, 2)))
    with pytest.raises(KgennError) as caught:
        DataNorm().scales(graph, samples(graph, 8))
    assert [d.code for d in caught.value.diagnostics] == ["KG403"]
    assert caught.value.diagnostics[0].where == "relu_4 (ReLU)"
    assert "a higher percentile; remove a layer" in caught.value.diagnostics[0].help


@pytest.mark.quick
def test_a_silent_channel_gets_the_scale_of_its_layer() -> None:
    b = Build("one silent channel", (7,))
    kernel = np.abs(b.kernel(7, 3))
    kernel[:, 1] *= -1
    graph = b.graph(b.dense(b.relu(b.add(Dense(kernel, None), "input")), 2))  # type: ignore[attr-defined]
    (scale,) = DataNorm(channelwise=True).scales(graph, samples(graph, 9)).values()
    assert scale.max() / 2 < scale[1] <= 2 * scale.max()


def error_after(graph: Graph, x: Array, steps: int, converter: DataNorm) -> float:
    """Return the largest |rate − activation| / λ of a network with one layer of neurons under direct input."""
    network = convert_graph(graph, recipe_of(converter, allow=ALLOW), x, steps, simulate).network
    p = network.populations[1]
    counts = ReferenceSimulator(network).run(network.drive(x), 0).spike_counts[p.name]
    (value,) = activations(graph, x).values()
    return float(np.abs(counts / steps - (value / p.scale).reshape(len(x), -1)).max())


@pytest.mark.parametrize(
    "name", ["dense", "conv_valid", "bias_dense", "rescaling", "relu_cap", "separable_strided"]
)
@pytest.mark.parametrize("potential", [0.0, 0.5])
def test_rates_differ_from_activations_by_less_than_a_spike(name: str, potential: float) -> None:
    graph = lower(build(name), LoweringOptions())
    x = samples(graph, 10)
    converter = DataNorm(percentile=100, initial_potential=potential)
    for steps in (1, 7, 64, 200):
        # truncation loses up to one spike, rounding up to half of one; the grid a little
        bound = (1.0 if potential == 0 else 0.5) / steps + 2e-4
        assert error_after(graph, x, steps, converter) <= bound


def test_a_bias_drives_a_population_even_where_the_input_is_zero() -> None:
    network = converted("bias_dense", "if")
    p = network.populations[1]
    assert p.bias is not None
    zero = np.zeros((1, 7), np.float32)
    counts = ReferenceSimulator(network).run(zero, 0).spike_counts[p.name][0]
    expected = np.floor(0.5 + network.num_timesteps * np.clip(p.bias / p.unit, 0, 1))
    assert np.array_equal(counts, expected)
    assert counts.any()


def test_reset_to_zero_loses_what_exceeds_the_threshold() -> None:
    zero, subtract = (converted("conv_valid", "direct", DataNorm(reset=reset)) for reset in ("zero", "subtract"))  # type: ignore[arg-type]
    drive = zero.drive(samples(build("conv_valid"), 4) * 0.9)
    counts = [ReferenceSimulator(n).run(drive, 0).spike_counts["relu_2"] for n in (zero, subtract)]
    assert (counts[0] <= counts[1]).all()
    assert counts[0].sum() < counts[1].sum()


def test_without_a_converter_every_scale_is_one() -> None:
    network = converted("residual_relu", converter=Unscaled())
    assert all(p.scale == 1 for p in network.populations[:-1])


@pytest.mark.parametrize(
    "options",
    [
        {"percentile": 0.0},
        {"percentile": 100.1},
        {"initial_potential": 1.0},
        {"initial_potential": -0.1},
        {"reset": "x"},
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(KgennError, match="KG401"):
        DataNorm(**options)  # type: ignore[arg-type]


def test_every_converter_has_a_name_and_says_what_it_represents() -> None:
    for name in CONVERTERS.names():
        converter = CONVERTERS.get(name)
        assert converter.name == name
        assert converter.represents <= {*ALLOW, "product"}


@pytest.mark.parametrize("shape", [(0, 7), (5, 8), (7,), (5, 7, 1)])
def test_calibration_data_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(KgennError, match="KG402"):
        convert_graph(build("dense"), recipe_of(), np.zeros(shape, np.float32), 4, simulate)


@pytest.mark.parametrize("steps", [0, -3])
def test_a_run_without_steps_is_refused(steps: int) -> None:
    with pytest.raises(KgennError, match="KG401"):
        convert_graph(build("dense"), recipe_of(), samples(build("dense"), 4), steps, simulate)


@pytest.mark.parametrize(
    ("readout", "name"),
    covering(["late-current", "current"], [name for name in RECIPES if not name.startswith("wide")]),
)
def test_scores_of_long_runs_are_the_logits_of_the_model(name: str, readout: ReadoutKind) -> None:
    graph = build(name)
    x = samples(graph, 5)
    recipe = recipe_of(DataNorm(percentile=100), allow=ALLOW, readout=readout)
    network = convert_graph(graph, recipe, x, 100, simulate).network
    network = replace(network, outputs=(replace(network.outputs[0], activations=()),))
    scores = kgenn.compile(network, target="reference").evaluate(x).scores
    lowered = fit_readout(lower(graph, LoweringOptions()), readout)
    logits = dict(lowered.forward(x))[lowered.ends[0]].reshape(5, -1)
    assert np.abs(scores - logits).max() < 0.06 * np.abs(logits).max()
