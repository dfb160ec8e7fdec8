"""NIR: an interpreter of NIR's definitions fires kgenn's spikes, and the file holds what the graph does."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from nir_reader import run
from several_samples import several_samples

import kgenn
from covering import leading
from kgenn.backends.reference import ReferenceSimulator
from kgenn.conversion.data_norm import DataNorm
from kgenn.conversion.few_spike import FewSpike
from kgenn.conversion.neurons import INTEGRATE_FIRE_TO_ZERO
from kgenn.diagnostics import KgennError
from kgenn.export.nir import METHODS, Nir, node_names
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from kgenn.ir.recording import Recording
from kgenn.ir.scores import heads_of
from kgenn.passes import LoweringOptions
from networks import RECIPES
from recordings import EVERYTHING, changing, converted, frames

nir = pytest.importorskip("nir", reason="the package nir is not installed")

# maps that are no convolution, and biases that differ within a channel
REFUSED = {
    "conv_conv": ["input to relu_3"],
    "conv_reshape_pointwise": ["input to relu_4"],
    "bias_before_pool_conv": ["relu_4", "input to relu_4"],
    "batch_norm_after_pool": ["relu_6"],
    "batch_norm_before_conv_same": ["relu_5"],
    "reshape_conv": ["relu_2 to relu_5"],
    "merged_broadcast": ["relu_4 to relu_8"],
    # images of another size
    "pool_overlapping_pool": ["relu_2 to relu_6"],
    "pool_same_odd": ["relu_2 to relu_5"],
    "pool_same_strided": ["relu_2 to relu_5"],
    "pool_same_add": ["relu_2 to relu_5"],
    "pool_same_twice": ["relu_2 to relu_6"],
    "upsample_conv": ["relu_2 to relu_5"],
    "upsample_bilinear_conv": ["relu_2 to relu_5"],
    "upsample_scores": ["relu_2 to upsample_4"],
    "upsample_pad_conv": ["relu_2 to relu_7"],
    "upsample_1d": ["relu_2 to relu_5"],
    "upsample_input": ["input to relu_3"],
    "upsample_pool_crop": ["relu_2 to relu_7"],
    "crop_conv": ["relu_2 to relu_5"],
    "transposed_conv": ["relu_5", "relu_2 to relu_5"],
    "transposed_1d": ["relu_2 to relu_5", "relu_5 to relu_8"],
    "unet": ["relu_8 to relu_11", "relu_14 to relu_18"],
    # no neurons of NIR take a maximum
    "max_pool_conv": ["maxpool_3"],
    "max_pool_dense": ["maxpool_3"],
    "max_pool_overlapping_same": ["maxpool_3"],
    "max_pool_max_pool": ["maxpool_3", "maxpool_4"],
    "max_pool_relu": ["maxpool_2"],
    "max_pool_add": ["maxpool_6"],
    "max_pool_concat": ["maxpool_6"],
    "max_pool_skip": ["maxpool_3"],
    "max_pool_1d": ["maxpool_3"],
    "max_pool_global": ["maxpool_3/0", "maxpool_3"],
    "max_pool_output": ["maxpool_3"],
    "max_pool_twice_then_relu": ["maxpool_2", "maxpool_3"],
    "max_pool_cap": ["maxpool_3"],
}
HELD = sorted(set(RECIPES) - set(REFUSED))
AT_REST = DataNorm(initial_potential=0.0)


def channels_first(values: Array, shape: tuple[int, ...]) -> Array:
    """Return (T, neurons) as (T, channels, *spatial)."""
    return np.moveaxis(values.reshape(len(values), *shape), -1, 1)


def by_kgenn(network: Network, seed: int = 5) -> tuple[Array, Recording]:
    """Return what the Input gets at every step, and what kgenn's reference does with it."""
    first = network.populations[0]
    # with direct input zeros and ones: other values meet a grid that NIR does not have
    x = np.random.default_rng(seed).integers(0, 2, (1, first.size)).astype(np.float32)
    if not network.inputs[0].coding.analog:
        x *= np.random.default_rng(seed + 1).uniform(0, 1, x.shape).astype(np.float32)
    recording = ReferenceSimulator(network).run(network.inputs[0].coding.drive(x), 0, EVERYTHING)
    assert recording.raster is not None
    steps = (
        x.repeat(network.num_timesteps, 0) if network.inputs[0].coding.analog else recording.raster[first.name][0]
    )
    return channels_first(steps, first.shape), recording


def assert_same_spikes(network: Network, graph: Any) -> None:
    inputs, recording = by_kgenn(network)
    assert recording.raster is not None
    outputs, names = run(graph, inputs), node_names(network).populations
    for population in network.populations[1:]:
        if population.neuron.threshold:
            expected = channels_first(recording.raster[population.name][0], population.shape)
            np.testing.assert_array_equal(outputs[names[population.name]], expected, population.name)
    last = network.populations[-1]
    if network.readout == "current":
        scores = np.cumsum(outputs["output"].reshape(network.num_timesteps, -1), 0) * last.unit
        expected = recording.scores[0].reshape(len(scores), *last.shape)
        expected = channels_first(expected, last.shape).reshape(scores.shape)
        np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1)


# a third of the networks with spikes as inputs, and the others with direct input
@pytest.mark.parametrize("name", leading([*HELD[1::3], *HELD[2::3], *HELD[::3]], len(HELD) - len(HELD[::3])))
def test_nir_definitions_fire_the_same_spikes_with_direct_input(name: str) -> None:
    network = converted(name, "direct", AT_REST, readout="current")
    assert all(p.unit == 2 ** round(np.log2(p.unit)) for p in network.populations), "weights would be rounded"
    assert_same_spikes(network, kgenn.to_nir(network))


@pytest.mark.parametrize("name", HELD[::3])
def test_nir_definitions_fire_the_same_spikes_for_spikes(name: str) -> None:
    network = converted(name, "if", AT_REST, readout="current")
    assert_same_spikes(network, kgenn.to_nir(network))


@pytest.mark.parametrize("name", ["dense_deep", "conv_same", "residual_relu"])
def test_neurons_start_from_potentials_of_their_own(name: str, tmp_path: Path) -> None:
    network = converted(name, "if", kgenn.Fission(), num_timesteps=6)
    assert all(p.potential is not None for p in network.hidden)
    (tmp_path / "x.nir").write_bytes(Nir().emit(network, "x.nir").files["x.nir"])
    assert_same_spikes(network, nir.read(tmp_path / "x.nir", type_check=False))


@pytest.mark.parametrize("name", ["conv_same", "bias_conv", "pool_dense", "residual_relu"])
def test_units_that_are_no_power_of_two_round_no_weight(name: str) -> None:
    network = converted(name, "if", AT_REST, LoweringOptions(weight_bits=6), "current", 40)
    assert any(p.unit != 2 ** round(np.log2(p.unit)) for p in network.hidden)
    assert_same_spikes(network, kgenn.to_nir(network))


def test_pooling_populations_and_identities_are_held() -> None:
    network = converted("residual_plain", "if", AT_REST, LoweringOptions("identity", "population"), "spike-count")
    graph = kgenn.to_nir(network)
    assert_same_spikes(network, graph)
    assert np.array_equal(graph.nodes["output"].output_type["output"], network.populations[-1].shape)


def test_a_reset_to_zero_is_nirs_reset_to_v_reset() -> None:
    network = converted("conv_same", "direct", AT_REST)
    zero = [replace(p, neuron=INTEGRATE_FIRE_TO_ZERO) if p.neuron.reset else p for p in network.populations]
    network = replace(network, populations=tuple(zero))
    graph = kgenn.to_nir(network)
    assert {n.metadata["reset"] for n in graph.nodes.values() if isinstance(n, nir.IF)} == {"zero"}
    assert_same_spikes(network, graph)


@pytest.mark.parametrize("name", REFUSED)
def test_what_nir_cannot_hold_is_named_in_one_error(name: str) -> None:
    with pytest.raises(KgennError) as error:
        kgenn.to_nir(converted(name))
    assert [d.where for d in error.value.diagnostics] == REFUSED[name]
    assert {d.code for d in error.value.diagnostics} == {"KG410"}


def test_a_network_that_works_in_stages_is_an_error() -> None:
    with pytest.raises(KgennError, match=r"KG410.*has the schedule staged") as error:
        kgenn.to_nir(converted("dense", "direct", FewSpike(), num_timesteps=4))
    assert {d.help for d in error.value.diagnostics} == {METHODS}


def test_another_neuron_model_is_an_error() -> None:
    network = converted("dense", "direct")
    leaky = replace(network.populations[1].neuron, name="leaky", update="v += i_syn - v * 0.5")
    populations = (network.populations[0], replace(network.populations[1], neuron=leaky), network.populations[2])
    with pytest.raises(KgennError, match="relu_2: has the neuron model leaky"):
        kgenn.to_nir(replace(network, populations=populations))


@pytest.mark.parametrize("name", ["conv_same", "conv1d_pool", "residual_relu", "bias_dense", "conv_asymmetric"])
def test_the_file_holds_the_graph(name: str, tmp_path: Path) -> None:
    network = converted(name)
    (tmp_path / "x.nir").write_bytes(Nir().emit(network, "x.nir").files["x.nir"])
    square = name in ("conv_same", "residual_relu", "bias_dense")
    back, graph = nir.read(tmp_path / "x.nir", type_check=square), kgenn.to_nir(network)
    assert [tuple(edge) for edge in back.edges] == graph.edges
    assert set(back.nodes) == set(graph.nodes)
    for name, node in graph.nodes.items():
        assert type(back.nodes[name]) is type(node)
        for key, value in node.to_dict().items():
            assert_equal(back.nodes[name].to_dict()[key], value)
    assert_equal(back.metadata, graph.metadata)


def assert_equal(found: Any, expected: Any) -> None:
    if isinstance(expected, dict):
        assert set(found) == set(expected)
        for key in expected:
            assert_equal(found[key], expected[key])
    else:
        np.testing.assert_array_equal(found, expected)


def test_the_same_network_gives_the_same_bytes() -> None:
    network = converted("conv_same")
    first, second = (Nir().emit(network, "x.nir").files for _ in range(2))
    assert first == second


def test_names_of_layers_become_identifiers() -> None:
    network = converted("dense_deep")
    odd = {"relu_2": "a/b", "relu_4": "a b", "relu_6": "output"}
    populations = tuple(replace(p, name=odd.get(p.name, p.name)) for p in network.populations)
    connections = tuple(
        replace(c, source=odd.get(c.source, c.source), target=odd.get(c.target, c.target))
        for c in network.connections
    )
    network = replace(network, populations=populations, connections=connections)
    names = node_names(network)
    assert list(names.populations.values()) == ["input", "a_b", "a_b_", "output_"]
    assert list(names.outputs.values()) == ["output"]
    assert kgenn.to_nir(network).nodes["a_b"].metadata["layer"] == "a/b"


def test_potentials_and_preprocessing_are_metadata() -> None:
    graph = kgenn.to_nir(converted("rescaling"))
    assert graph.nodes["relu_3"].metadata["v_initial"] == 0.5
    assert (graph.metadata["input_scale"], graph.metadata["input_shift"]) == (0.5, 0.25)


def test_a_missing_package_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nir", None)
    with pytest.raises(KgennError, match="KG508") as error:
        kgenn.to_nir(converted("dense"))
    assert error.value.exit_code == 3


def several(encoders: dict[str, str], timesteps: int = 24) -> Network:
    """Return the network of the model with two inputs and three outputs, two of which read one layer."""
    keras.utils.set_random_seed(3)
    layers = keras.layers
    image, meta = keras.Input((6, 6, 2), name="image"), keras.Input((5,), name="the meta")
    seen = layers.Conv2D(3, 3, activation="relu", use_bias=False, name="conv")(image)
    joined = layers.Concatenate()(
        [layers.Flatten()(seen), layers.Dense(5, activation="relu", use_bias=False)(meta)]
    )
    hidden = layers.Dense(8, activation="relu", use_bias=False, name="hidden")(joined)
    logits = layers.Dense(3, use_bias=False, name="logits")(hidden)
    outputs = [logits, layers.Softmax(name="digit")(logits), layers.Conv2D(2, 2, use_bias=False, name="map")(seen)]
    x = several_samples(64)
    return kgenn.convert(
        keras.Model([image, meta], outputs),
        calibration=x,
        timesteps=timesteps,
        encoder=encoders,
        converter=AT_REST,
        readout="current",
        check=False,
    )


def assert_same_outputs(network: Network, graph: Any, drive: Array) -> None:
    """Fail where the graph's nodes depart from a run of kgenn's reference on one sample."""
    recording = ReferenceSimulator(network).run(drive, 0, EVERYTHING)
    assert recording.raster is not None
    steps, names = network.num_timesteps, node_names(network)
    inputs = {}
    for own in network.inputs:
        values = drive[0] if own.changing else drive.repeat(steps, 0)
        analog = values[:, network.drive_columns[own.name]] / own.coding.levels
        given = analog if own.coding.analog else recording.raster[own.name][0]
        inputs[names.populations[own.name]] = channels_first(given, own.shape)
    found = run(graph, inputs)
    for population in network.populations[len(network.inputs) :]:
        if population.neuron.threshold:
            expected = channels_first(recording.raster[population.name][0], population.shape)
            np.testing.assert_array_equal(found[names.populations[population.name]], expected, population.name)
    for head in heads_of(network):
        sums = np.cumsum(found[names.outputs[head.name]].reshape(steps, -1), 0) * head.readout.unit
        scores = channels_first(recording.scores[0][:, head.columns], head.shape).reshape(steps, -1)
        np.testing.assert_allclose(sums, scores, rtol=1e-6, atol=1)


def test_several_inputs_and_outputs_are_nodes_of_their_names(tmp_path: Path) -> None:
    network = several({"image": "poisson", "the meta": "if"})
    graph = kgenn.to_nir(network)
    assert set(graph.inputs) == {"image", "the_meta"}
    assert set(graph.outputs) == {"logits", "digit", "map"}
    assert [graph.nodes[name].metadata["encoder"] for name in ("image", "the_meta")] == ["poisson", "if"]
    assert [graph.nodes[name].metadata["output_activations"] for name in ("logits", "digit")] == ["", "softmax"]
    sample = {name: x[:1] for name, x in several_samples(3).items()}
    assert_same_outputs(network, graph, network.drive(sample))
    (tmp_path / "x.nir").write_bytes(Nir().emit(network, "x.nir").files["x.nir"])
    assert_same_outputs(network, nir.read(tmp_path / "x.nir"), network.drive(sample))


def test_frames_of_an_input_that_changes_are_what_its_node_takes_at_each_step() -> None:
    network = changing(converted("skip_to_readout", "spike", AT_REST, readout="current"))
    graph = kgenn.to_nir(network)
    assert graph.metadata["input_changes"]
    assert_same_outputs(network, graph, network.drive(frames(network, "spike", 1)))
