"""The quantised twin against the ANN that it rounds, and its operations against a count by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import kgenn
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from kgenn.ir.recording import Recording
from kgenn.metrics.layer_error import ideal_rates
from kgenn.metrics.result import ResultTally
from kgenn.metrics.twin import TwinTally, twin_activations, twin_bits, twin_unit
from kgenn.metrics.twin_input import input_bits
from networks import RECIPES, build, samples
from recordings import METHODS, changing, converted, drive_of, frames, goals_of, inputs_of

FINE = 4095  # levels at which rounding is no longer seen


def with_levels(network: Network, levels: int) -> Network:
    """Return the network with spike trains of so many levels; staged biases are in these levels too."""
    assert network.code.steady
    return replace(network, levels=levels)


@pytest.mark.parametrize("name", [name for name in RECIPES if not name.startswith("wide")])
def test_a_twin_of_many_levels_is_the_ann(name: str) -> None:
    network = with_levels(converted(name, "direct", kgenn.DataNorm(percentile=100)), FINE)
    # the calibration set itself, so that no activation is larger than the scale
    drive = network.drive(samples(build(name), 16, -1.0, 1.0))
    ideal = ideal_rates(network, drive)
    for population, found in twin_activations(network, drive).items():
        assert np.allclose(found / FINE, ideal[population], rtol=0.01, atol=0.01)


@pytest.mark.parametrize("method", METHODS)
def test_activations_are_whole_numbers_of_the_bits(method: str) -> None:
    converter, (steps, *_) = METHODS[method]
    network = converted("max_pool_skip", "direct", converter, num_timesteps=steps)
    found = twin_activations(network, drive_of(network, "direct"))
    most = 2 ** twin_bits(network) - 1
    # bursts reach more than full scale
    levels = network.levels * max((p.largest_rate or 1) * p.copies for p in network.hidden)
    assert most >= levels > most // 2
    for p in network.hidden:
        values = found[p.name]
        assert np.array_equal(values, np.rint(values))
        assert 0 <= values.min() <= values.max() <= most
        assert np.any(values)


def test_a_twin_of_bursts_reaches_what_bursts_do() -> None:
    converter = kgenn.Burst(percentile=80, channelwise=False, scale_factor=1.0, gamma=5)
    network = converted("conv_valid", "direct", converter, num_timesteps=32)
    drive = drive_of(network, "direct")
    ideal, found = ideal_rates(network, drive), twin_activations(network, drive)
    (hidden,) = network.hidden
    one = twin_unit(network)
    assert twin_bits(network) == (32 * 5).bit_length()
    assert ideal[hidden.name].max() > 1.2
    assert np.allclose(found[hidden.name] / one, ideal[hidden.name], atol=0.51 / one + 1e-3)


def test_a_twin_of_frames_sees_their_mean() -> None:
    network = changing(converted("dense_deep", "direct"))
    x = frames(network, "direct", 4)
    drive = network.drive(x)
    whole = twin_activations(network, drive)
    # the mean of frames that are all alike is each of them
    held = np.repeat(drive[:, :1], drive.shape[1], axis=1)
    still = twin_activations(replace(network, inputs=converted("dense_deep", "direct").inputs), drive[:, 0])
    for name, values in twin_activations(network, held).items():
        assert np.array_equal(values, still[name])
    assert any(not np.array_equal(whole[name], still[name]) for name in whole)


@pytest.mark.parametrize(
    ("encoder", "bits", "levels"), [("poisson", 5, 31), ("if", 5, 31), ("poisson-signed", 6, 31), ("spike", 1, 1)]
)
def test_an_input_of_spikes_has_the_levels_that_they_tell_apart(encoder: str, bits: int, levels: int) -> None:
    network = converted("dense_deep", encoder, num_timesteps=21)
    (own,) = network.inputs
    x = inputs_of(network, encoder, 5).reshape(5, -1)
    found = twin_activations(network, network.drive(x.reshape(5, *network.input_shape)))[own.name]
    assert input_bits(network, own.name) == bits
    assert np.array_equal(found, np.rint(x.astype(np.float64) * levels))
    assert np.abs(found).max() <= levels


@pytest.mark.parametrize(
    ("method", "encoder", "bits"),
    [("few-spike", "few-spike", 7), ("few-spike", "few-spike-signed", 8), ("ttfs", "ttfs", 6)],
)
def test_an_input_of_a_stage_of_spikes_is_what_they_say(method: str, encoder: str, bits: int) -> None:
    converter, (steps, *_) = METHODS[method]
    network = converted("dense_deep", encoder, converter, num_timesteps=steps)
    (own,) = network.inputs
    drive = drive_of(network, encoder, 5)
    assert input_bits(network, own.name) == bits
    assert np.array_equal(twin_activations(network, drive)[own.name], drive)


def test_a_direct_input_keeps_its_precision() -> None:
    network = converted("dense_deep")
    (own,) = network.inputs
    assert own.name not in twin_activations(network, drive_of(network, "direct"))
    assert input_bits(network, own.name) == own.coding.levels.bit_length()


@pytest.mark.parametrize("encoder", ["direct", "poisson-signed"])
@pytest.mark.parametrize("name", ["dense_deep", "residual_shortcut", "pool_conv", "max_pool_conv"])
def test_operations_are_values_that_are_not_zero_times_their_weights(name: str, encoder: str) -> None:
    network = converted(name, encoder)
    drive = drive_of(network, encoder, 5)
    drive[:, ::3] = 0
    found = twin_activations(network, drive)
    tally = TwinTally(network)
    for part in (slice(0, 2), slice(2, 5)):
        tally.add({name: values[part] for name, values in found.items()})
    twin = tally.result({})
    multiplied, added = 0.0, 0.0
    for c in network.connections:
        ones = c.connectivity.with_weights(np.ones_like(c.connectivity.weights))
        if network.is_analog(c):
            multiplied += float(ones.apply(np.ones((1, ones.num_sources))).sum())
            continue
        values = found[c.source]
        if c.pool is not None:
            added += float(c.pool.apply((values != 0).astype(float)).sum()) / 5
            values = c.pool.apply(values)
        reached = float(ones.apply((values != 0).astype(float)).sum()) / 5
        if network.by_name[c.target].maximum:
            added += reached
        else:
            multiplied += reached
    assert twin.num_samples == 5
    assert twin.macs == pytest.approx(multiplied)
    assert twin.operations.additions == pytest.approx(added)
    assert twin.operations.membrane_updates == sum(p.size for p in network.populations[1:])


def first_copies(values: Array, copies: int) -> Array:
    """Return values with those of every copy but the first at zero."""
    kept = np.zeros_like(values)
    kept[:, ::copies] = values[:, ::copies]
    return kept


@pytest.mark.parametrize("name", ["residual_shortcut", "pool_conv", "max_pool_conv"])
def test_a_twin_has_one_neuron_for_each_value(name: str) -> None:
    network = converted(name, converter=kgenn.Fission(), num_timesteps=4)
    assert max(p.copies for p in network.hidden) > 1
    found = twin_activations(network, drive_of(network, "direct", 5))
    tally = TwinTally(network)
    tally.add(found)
    twin = tally.result({})
    multiplied, by_name = 0.0, network.by_name
    for p in network.hidden:
        assert np.array_equal(found[p.name], np.repeat(found[p.name][:, :: p.copies], p.copies, axis=1))
    for c in network.connections:
        source, target = by_name[c.source], by_name[c.target]
        ones = c.connectivity.with_weights(np.ones_like(c.connectivity.weights))
        values = found[c.source] if c.source in found else np.ones((5, source.size))
        values = first_copies(values, source.copies)
        if c.pool is not None:
            values = c.pool.apply(values)
        reached = ones.apply((values != 0).astype(float))[:, :: target.copies]
        multiplied += 0 if target.maximum else float(reached.sum()) / 5
    assert twin.macs == pytest.approx(multiplied)
    assert twin.operations.membrane_updates == sum(p.size // p.copies for p in network.populations[1:])
    assert network.ann_macs == converted(name).ann_macs


def labelled(network: Network) -> tuple[Array, Array]:
    x = np.random.default_rng(0).random((30, *network.input_shape)).astype(np.float32) * 0.9
    readout = network.populations[-1]
    return x, ideal_rates(network, network.drive(x))[readout.name].argmax(axis=1)


@pytest.mark.parametrize(("steps", "least", "most"), [(1, 0.0, 0.97), (255, 1.0, 1.0)])
def test_a_twin_of_few_bits_agrees_less_with_its_model(steps: int, least: float, most: float) -> None:
    network = converted("residual_shortcut", "direct", num_timesteps=steps)
    compiled = kgenn.compile(network, "reference")
    x, y = labelled(network)
    result = compiled.with_ann(x, y, compiled.evaluate(x, y))
    assert result.twin is not None
    assert result.ann is not None
    assert result.ann.ann == 1
    assert result.twin.bits == steps.bit_length()
    assert least <= result.twin.values[network.outputs[0].name] <= most
    assert result.energy.twin == result.twin.energy
    plain = result.to_dict()
    assert plain["twin"]["macs"] == result.twin.macs
    assert plain["energy"]["twin"]["integer"] == result.twin.energy.integer
    row = dict(result.rows())["quantised twin"]
    assert row.startswith(f"{steps.bit_length()}-bit ANN: ")
    assert row.endswith(" MACs per sample")


def test_without_labels_the_twin_has_operations_and_no_metric() -> None:
    network = converted("dense_deep")
    compiled = kgenn.compile(network, "reference")
    x, _ = labelled(network)
    result = compiled.with_ann(x, None, compiled.evaluate(x))
    assert result.ann is None
    assert result.twin is not None
    assert (result.twin.values, result.twin.macs > 0) == ({}, True)


@pytest.mark.parametrize(
    ("method", "spikes", "operations", "break_even"),
    [
        ("data-norm", "unit", "additions", True),
        ("few-spike", "unit", "additions", True),
        ("burst", "bursts of up to 5 (3 bits)", "additions", False),
        ("calibrated", "graded, ", "multiply-accumulates", False),
    ],
)
def test_graded_spikes_are_multiplied_and_have_no_break_even(
    method: str, spikes: str, operations: str, break_even: bool
) -> None:
    converter, (steps, *_) = METHODS[method]
    network = converted("dense", "direct", converter, num_timesteps=steps)
    x, _ = labelled(network)
    rows = dict(kgenn.compile(network, "reference").evaluate(x).rows())
    assert rows["spikes"].startswith(spikes)
    assert f" {operations} per sample" in rows["synaptic operations"]
    assert ("break-even" in rows["spikes per neuron"]) == break_even


@pytest.mark.parametrize(
    ("encoder", "spikes"),
    [("poisson", "unit"), ("poisson-signed", "unit; those of the input are signed, −1 and 1"), ("direct", "unit")],
)
def test_signed_spikes_of_an_input_are_named(encoder: str, spikes: str) -> None:
    network = converted("dense", encoder)
    result = kgenn.compile(network, "reference").evaluate(inputs_of(network, encoder, 2))
    assert dict(result.rows())["spikes"] == spikes
    values = {"poisson": {"low": 0, "high": 1}, "poisson-signed": {"low": -1, "high": 1}, "direct": None}
    assert result.to_dict()["input_spike_values"] == values[encoder]


@pytest.mark.parametrize(("copies", "side"), [(1, "below"), (4, "above")])
def test_the_break_even_is_one_of_the_ann_s_neurons(copies: int, side: str) -> None:
    network = converted("dense", converter=kgenn.Fission(extra=3, copies=copies), num_timesteps=4)
    (hidden,) = network.hidden
    assert hidden.copies == copies
    counts = {hidden.name: np.full(hidden.size, 3, np.int64)}
    tally = ResultTally(network, goals_of(network))
    tally.add(
        Recording(np.zeros((2, 1, network.num_scores), np.float32), {n: c[None] for n, c in counts.items()}), {}
    )
    result = tally.result({}, 0.0, 0.0)
    assert result.spikes_per_neuron == 1.5
    assert result.spikes_per_value == 1.5 * copies
    of_value = f"{1.5 * copies:.3f} for each value of the ANN, " if copies > 1 else ""
    assert dict(result.rows())["spikes per neuron"] == f"1.500 ({of_value}{side} break-even, 1.72)"
    assert result.to_dict()["spikes_per_value"] == 1.5 * copies
