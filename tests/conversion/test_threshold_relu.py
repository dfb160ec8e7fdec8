"""Threshold-ReLU: scales are the model's own caps, and rates the rounded capped activations."""

from __future__ import annotations

import numpy as np
import pytest

from kgenn.backends.reference import ReferenceSimulator
from kgenn.backends.simulate import simulate
from kgenn.conversion.convert import convert_graph
from kgenn.conversion.recipe import recipe_of
from kgenn.conversion.threshold_relu import ThresholdReLU
from kgenn.diagnostics import KgennError
from kgenn.ir.network import Network
from kgenn.layers.activation import ReLU
from networks import ALLOW, build, samples, with_caps
from recordings import converted, drive_of

RECIPE = recipe_of(ThresholdReLU(), allow=ALLOW)


def test_every_relu_without_a_cap_is_named_in_one_error() -> None:
    graph = build("residual_relu")
    with pytest.raises(KgennError) as caught:
        convert_graph(graph, RECIPE, samples(graph, 4), 8, simulate)
    found = caught.value.diagnostics
    assert [d.where for d in found] == [n.origin for n in graph.nodes if isinstance(n.layer, ReLU)]
    assert {d.code for d in found} == {"KG210"}
    assert all("ReLU(max_value=θ)" in d.help for d in found)


def test_caps_need_the_profile_to_allow_them() -> None:
    graph = build("relu_cap")
    with pytest.raises(KgennError, match="KG205"):
        convert_graph(graph, recipe_of(ThresholdReLU()), samples(graph, 4), 8, simulate)


def network_of(name: str, cap: float, steps: int, calibration: float = 1.0) -> Network:
    graph = with_caps(build(name), cap)
    x = calibration * samples(graph, 8, -1.0, 1.0)
    return convert_graph(graph, RECIPE, x, steps, simulate).network


@pytest.mark.parametrize("cap", [0.3, 1.5, 40.0])
@pytest.mark.parametrize("name", ["conv_same", "residual_relu", "concat_conv", "batch_norm_after_conv"])
def test_scales_are_the_caps_whatever_the_calibration_set(name: str, cap: float) -> None:
    for calibration in (1.0, 1e-3):
        network = network_of(name, cap, 8, calibration)
        assert all(p.scale == cap for p in network.spiking)


def test_caps_that_differ_are_each_their_layer_s_own() -> None:
    # the second ReLU of a row is the lower cap
    network = converted("relu_relu", "direct", ThresholdReLU())
    assert [float(p.scale) for p in network.spiking] == [0.6]


@pytest.mark.parametrize("steps", [1, 2, 5, 32, 200])
@pytest.mark.parametrize("name", ["dense", "conv_valid", "bias_dense", "depthwise"])
def test_rates_are_the_capped_activation_rounded_to_one_in_t(name: str, steps: int) -> None:
    cap = 0.7
    network = network_of(name, cap, steps)
    drive = drive_of(network, "direct")
    p = network.spiking[0]
    counts = ReferenceSimulator(network).run(drive, 0).spike_counts[p.name]
    graph = with_caps(build(name), cap)
    x = drive / np.float32(network.inputs[0].coding.levels)
    first = next(n.name for n in graph.nodes if isinstance(n.layer, ReLU))
    activation = dict(graph.forward(x.reshape(-1, *network.input_shape)))[first].reshape(len(x), -1)
    # a shift of half a threshold makes the rate round to the nearest
    exact = activation.astype(np.float64) / cap * steps
    assert np.abs(counts - exact).max() <= 0.5 + 1e-3 * steps
    clear = np.abs(exact % 1 - 0.5) > 1e-3 * steps
    assert np.array_equal(counts[clear], np.rint(exact)[clear])
    assert counts.max() == steps


def test_an_output_whose_spikes_are_counted_needs_no_cap() -> None:
    network = converted("dense", "direct", ThresholdReLU(), readout="spike-count")
    hidden, readout = network.spiking
    assert hidden.scale == 1.5
    scores = ReferenceSimulator(network).run(drive_of(network, "direct"), 0).scores
    assert readout.scale > 0
    assert scores[:, -1].any()
