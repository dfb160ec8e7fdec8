"""Figures of a run against counts by hand, and layer errors against what they are defined to be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import kgenn
from beside import FEW
from covering import covering, leading
from kgenn.backends.reference import ReferenceSimulator
from kgenn.conversion.base import Converter
from kgenn.conversion.few_spike import FewSpike
from kgenn.conversion.time_to_first_spike import TimeToFirstSpike
from kgenn.ir.graph import Array
from kgenn.ir.network import Connection, Network
from kgenn.ir.recording import Recording
from kgenn.metrics.layer_error import ErrorTally, LayerError, ideal_rates
from kgenn.metrics.result import Result, ResultTally
from looped import looped
from networks import ENCODERS, RECIPES, build, samples
from recordings import ALL_ENCODERS, EVERYTHING, METHODS, converted, drive_of, goals_of

LABELS = np.array([0, 3, 1, 2, 0, 3])


def run(network: Network, encoder: str, count: int = 6) -> tuple[Array, Recording]:
    drive = drive_of(network, encoder, count)
    return drive, ReferenceSimulator(network).run(drive, 0, EVERYTHING)


def result_of(
    network: Network, recording: Recording, labels: Array | None, parts: tuple[int, ...] = (6,)
) -> Result:
    tally, start = ResultTally(network, goals_of(network)), 0
    for size in parts:
        part = slice(start, start + size)
        counts = {name: c[part] for name, c in recording.spike_counts.items()}
        tally.add(
            Recording(recording.scores[part], counts), of_output(network, None if labels is None else labels[part])
        )
        start += size
    return tally.result(of_output(network, labels), 1.5, 2.5)


def synapses_by_hand(connection: Connection) -> Array:
    """Return the synapses of each source neuron, counted in the matrix that a connection is."""
    ones = connection.connectivity.with_weights(np.ones(connection.connectivity.weights.shape, np.float32))
    size = len(connection.fan_out())
    return replace(connection, connectivity=ones).apply(np.eye(size)).sum(axis=1)


@pytest.mark.parametrize(
    ("encoder", "converter", "latency", "stages"),
    [
        # an input that spikes is a population of that path
        ("poisson", None, 4 + 6, 5),
        ("direct", None, 3 + 6, 4),
        ("few-spike", FewSpike(), 4 * (6 + 1) + 6, 5),
        ("direct", TimeToFirstSpike(), 3 * (6 + 1) + 6, 4),
    ],
)
def test_the_latency_is_that_of_the_longest_way_through_the_network(
    encoder: str, converter: Converter | None, latency: int, stages: int
) -> None:
    network = converted("skip_to_readout", encoder, converter, num_timesteps=6)
    result = result_of(network, run(network, encoder)[1], None)
    assert (result.latency_steps, result.num_stages, result.num_timesteps) == (latency, stages, 6)
    assert (result.to_dict()["latency_steps"], result.to_dict()["num_stages"]) == (latency, stages)
    assert dict(result.rows())["latency"] == f"{latency} steps ({stages} populations deep)"


@pytest.mark.parametrize("encoder", ["direct", "poisson-signed", "if"])
@pytest.mark.parametrize(
    "name", ["dense", "residual_shortcut", "pool_conv", "concat_pool_conv", "conv_conv", "linear"]
)
def test_figures_are_those_counted_spike_by_spike(name: str, encoder: str) -> None:
    network = converted(name, encoder)
    _, recording = run(network, encoder)
    result = result_of(network, recording, LABELS)
    assert recording.raster is not None
    operations, spikes, neurons = 0.0, 0, 0
    for p in network.spiking:
        # every spike at every step, one by one
        _, _, fired = np.nonzero(recording.raster[p.name])
        outgoing = [synapses_by_hand(c) for c in network.connections if c.source == p.name]
        operations += sum(float(s[n]) for s in outgoing for n in fired)
        assert result.spikes[p.name] == pytest.approx(len(fired) / 6)
        if p is not network.populations[0]:
            spikes, neurons = spikes + len(fired), neurons + p.size
    assert result.synaptic_operations == pytest.approx(operations / 6)
    assert result.spikes_per_neuron == pytest.approx(spikes / 6 / max(neurons, 1))
    assert result.num_samples == 6
    assert result.num_timesteps == network.num_timesteps


@pytest.mark.quick
def test_accuracy_and_curve_count_the_samples_whose_largest_score_is_the_label() -> None:
    network = converted("dense", "poisson")
    _, recording = run(network, "poisson")
    result = result_of(network, recording, LABELS)
    right = [
        [int(np.argmax(recording.scores[n, t]) == LABELS[n]) for n in range(6)]
        for t in range(network.num_timesteps)
    ]
    assert result.curve is not None
    np.testing.assert_allclose(result.curve, np.mean(right, axis=1))
    assert result.accuracy == result.curve[-1]
    assert np.array_equal(result.predictions, recording.scores[:, -1].argmax(axis=1))


@pytest.mark.parametrize("encoder", ENCODERS)
def test_figures_do_not_depend_on_the_batches(encoder: str) -> None:
    network = converted("residual_shortcut", encoder)
    _, recording = run(network, encoder)
    whole, parts = (result_of(network, recording, LABELS, sizes) for sizes in ((6,), (1, 3, 2)))
    assert whole.to_dict(curve=True) == parts.to_dict(curve=True)
    assert np.array_equal(whole.scores, parts.scores)


def test_without_labels_there_is_no_accuracy() -> None:
    network = converted("dense")
    _, recording = run(network, "direct")
    result = result_of(network, recording, None)
    assert result.accuracy is None
    assert result.curve is None
    assert "no labels" in str(result)
    assert result.to_dict(curve=True)["curve"] is None


def test_no_samples_give_zeros() -> None:
    network = converted("dense")
    result = ResultTally(network, goals_of(network)).result({}, 0.0, 0.0)
    assert (result.num_samples, result.synaptic_operations, result.scores.shape) == (0, 0, (0, 4))


def test_a_direct_input_costs_multiplications_once_and_no_synaptic_operations() -> None:
    direct, spiking = (converted("linear", encoder) for encoder in ("direct", "if"))
    first = result_of(direct, run(direct, "direct")[1], None)
    assert (first.direct_macs, first.synaptic_operations) == (28, 0)
    second = result_of(spiking, run(spiking, "if")[1], None)
    assert second.direct_macs == 0
    assert second.synaptic_operations > 0
    assert first.ann_macs == second.ann_macs == 28


def test_a_table_shows_every_figure_with_its_unit() -> None:
    network = converted("dense")
    rows = dict(result_of(network, run(network, "direct")[1], LABELS).rows())
    assert rows["accuracy"].endswith(" %")
    assert "break-even, 1.72" in rows["spikes per neuron"]
    assert rows["time"] == "1.50 s wall, 2.50 s CPU"


def errors_of(network: Network, encoder: str, parts: tuple[int, ...] = (6,)) -> tuple[LayerError, ...]:
    drive, recording = run(network, encoder)
    tally, start = ErrorTally(network, goals_of(network)), 0
    for size in parts:
        part = slice(start, start + size)
        counts = {n: c[part] for n, c in recording.spike_counts.items()}
        tally.add(drive[part], counts, of_output(network, LABELS[part]))
        start += size
    return tally.errors()


@looped("name", RECIPES)
def test_every_hidden_population_has_an_error(name: str) -> None:
    network = converted(name)
    errors = errors_of(network, "direct")
    assert [e.population for e in errors] == [p.name for p in network.spiking]
    for e in errors:
        assert 0 <= e.rate <= 1
        assert e.error >= abs(e.rate - e.activation) - 1e-12


@pytest.mark.parametrize("encoder", ["direct", "poisson-signed"])
def test_errors_do_not_depend_on_the_batches(encoder: str) -> None:
    network = converted("residual_shortcut", encoder)
    for one, two in zip(errors_of(network, encoder), errors_of(network, encoder, (2, 1, 3)), strict=True):
        assert one.population == two.population
        for field in ("activation", "rate", "error", "relative", "own", "saturated"):
            assert getattr(one, field) == pytest.approx(getattr(two, field))


def test_a_layer_whose_rates_are_exact_has_no_error() -> None:
    # weights are eighths and inputs 0 or 1: after 8 steps v is back at 0, and no spike is missing
    network = exact_network()
    drive = np.random.default_rng(1).integers(0, 2, (6, 7)).astype(np.float32)
    tally = ErrorTally(network, goals_of(network))
    tally.add(drive, ReferenceSimulator(network).run(drive, 0).spike_counts, {})
    (error,) = tally.errors()
    assert error.error == error.own == error.relative == error.saturated == 0
    assert error.rate == error.activation > 0


def of_output(network: Network, labels: Array | None) -> dict[str, Array]:
    """Return labels by the name of the only output."""
    return {} if labels is None else {network.outputs[0].name: labels}


def exact_network() -> Network:
    base = converted("dense")
    hidden = base.populations[1]
    rng = np.random.default_rng(4)
    unit = 1 << 10
    weights = rng.integers(0, 2, (7, 9)).astype(np.float32) * (unit / 8)
    population = replace(hidden, unit=unit, params={"v_thresh": float(unit)}, initial={"v": 0.0}, bias=None)
    first = base.connections[0]
    connection = replace(first, connectivity=first.connectivity.with_weights(weights))
    return replace(
        base,
        populations=(base.populations[0], population, base.populations[2]),
        connections=(connection, base.connections[1]),
        inputs=(replace(base.inputs[0], coding=replace(base.inputs[0].coding, levels=1, low=0.0, high=1.0)),),
        num_timesteps=8,
        levels=8,
    )


def test_errors_are_made_where_rates_are_lost_and_only_passed_on_after() -> None:
    network = converted("dense_deep", "direct", num_timesteps=400)
    drive, recording = run(network, "direct")
    counts = {name: c.copy() for name, c in recording.spike_counts.items()}
    first, second = (p.name for p in network.spiking[:2])
    counts[first] //= 2
    tally, honest = ErrorTally(network, goals_of(network)), ErrorTally(network, goals_of(network))
    tally.add(drive, counts, {})
    honest.add(drive, recording.spike_counts, {})
    broken, whole = ({e.population: e for e in t.errors()} for t in (tally, honest))
    assert broken[first].own > 10 * whole[first].own
    # the second layer's rates are as before, only its sources changed
    assert broken[second].error == whole[second].error
    assert broken[second].own > whole[second].own


# numbers of 11 bits are the activations but for the grid; T chosen for as many levels elsewhere
FINE: dict[str, tuple[Converter, int]] = {
    "few-spike": (FewSpike(scale_rule="maximum", correction=False, channelwise=False), 11),
    "ttfs": (TimeToFirstSpike(scale_rule="maximum", correction=False, channelwise=False), 2047),
}


@pytest.mark.parametrize(
    ("encoder", "method", "name"),
    covering(
        ["direct", "own"],
        FINE,
        ["dense_deep", "residual_shortcut", "skip_to_readout", "bias_conv", "concat_pool_conv", "max_pool_skip"],
    ),
)
def test_fine_numbers_leave_no_layer_an_error(name: str, method: str, encoder: str) -> None:
    converter, steps = FINE[method]
    encoder = method if encoder == "own" else encoder
    network = converted(name, encoder, converter, num_timesteps=steps)
    _, low, high = ALL_ENCODERS[encoder]
    # the calibration set itself, so that no activation is larger than the scale
    drive = network.drive(samples(build(name), 16, low, high))
    train_values = ReferenceSimulator(network).run(drive, 0, EVERYTHING).train_values
    assert train_values is not None
    tally = ErrorTally(network, goals_of(network))
    tally.add(drive, train_values, {})
    assert len(tally.errors()) == len(network.hidden) > 0
    for error in tally.errors():
        assert error.relative < 3e-3
        assert error.own < 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_a_max_pool_adds_no_error_of_its_own(method: str) -> None:
    converter, (steps, *_) = METHODS[method]
    network = converted("max_pool_conv", "direct", converter, num_timesteps=steps)
    drive, recording = run(network, "direct")
    assert recording.train_values is not None
    tally = ErrorTally(network, goals_of(network))
    tally.add(drive, recording.train_values, {})
    own = {error.population: error.own for error in tally.errors()}
    pools = [p.name for p in network.populations if p.maximum]
    assert [own.pop(pool) for pool in pools] == [0.0] * len(pools) != []
    assert min(own.values()) > 0


def test_rounding_errs_by_a_quarter_of_a_level_and_truncating_by_half_of_one() -> None:
    errors = {}
    for rounding in (True, False):
        converter = FewSpike(scale_rule="maximum", correction=False, channelwise=False, rounding=rounding)
        network = converted("conv_same", "few-spike", converter, num_timesteps=4)
        drive, recording = run(network, "few-spike", 6)
        assert recording.train_values is not None
        tally = ErrorTally(network, goals_of(network))
        tally.add(drive, recording.train_values, {})
        errors[rounding] = tally.errors()[0].own * 15
    # of those that are not zero: a few are, and are exact
    assert 0.15 < errors[True] <= 0.27
    assert 0.3 < errors[False] <= 0.55


def test_activations_above_the_scale_are_reported_as_saturated() -> None:
    network = converted("conv_valid", "direct", kgenn.DataNorm(percentile=80, channelwise=False))
    (error,) = errors_of(network, "direct")
    assert 0.1 < error.saturated < 0.3


@pytest.mark.parametrize(("gamma", "least", "most"), [(1, 0.1, 0.3), (5, 0.0, 0.05)])
def test_what_bursts_can_send_is_not_saturated(gamma: int, least: float, most: float) -> None:
    network = converted(
        "conv_valid", "direct", kgenn.Burst(percentile=80, channelwise=False, scale_factor=1.0, gamma=gamma)
    )
    (error,) = errors_of(network, "direct")
    assert least <= error.saturated < most


def test_corrections_without_a_cap_are_never_saturated() -> None:
    network = converted("conv_valid", "direct", kgenn.Calibrated(quanta=3, members=2), num_timesteps=16)
    (error,) = errors_of(network, "direct")
    assert error.saturated == 0


# by default the networks that have every kind of connection and population
KINDS = sorted((name for name in RECIPES if not name.startswith("wide")), key=lambda name: name not in FEW)


@pytest.mark.parametrize("name", leading(KINDS, len(FEW)))
def test_ideal_rates_are_what_long_runs_approach(name: str) -> None:
    network = converted(name, "direct", kgenn.DataNorm(percentile=100), num_timesteps=100)
    drive = drive_of(network, "direct", 3)
    ideal = ideal_rates(network, drive)
    counts = ReferenceSimulator(network).run(drive, 0).spike_counts
    for p in network.spiking:
        assert np.abs(counts[p.name] / 100 - np.minimum(ideal[p.name], 1)).mean() < 0.03


def test_a_comparison_names_the_layer_with_the_largest_error_of_its_own() -> None:
    network = converted("residual_shortcut", "poisson")
    compiled = kgenn.compile(network, "reference")
    x = np.random.default_rng(0).random((6, *network.input_shape)).astype(np.float32)
    comparison = compiled.compare(x, LABELS)
    assert comparison.worst is not None
    own = [layer.own for layer in comparison.layers]
    assert own[comparison.worst] == max(own)
    plain = comparison.to_dict()
    assert plain["worst_layer"] == comparison.layers[comparison.worst].population
    assert plain["accuracy"] == comparison.result.accuracy == compiled.evaluate(x, LABELS).accuracy


def test_a_network_without_hidden_neurons_compares_too() -> None:
    network = converted("linear")
    x = np.random.default_rng(0).random((6, 7)).astype(np.float32) * 0.9
    comparison = kgenn.compile(network, "reference").compare(x, LABELS)
    assert comparison.layers == ()
    assert comparison.worst is None
    assert comparison.ann_value == comparison.result.accuracy


def test_ideal_rates_of_a_capped_network_are_the_capped_models() -> None:
    graph = build("relu_cap")
    network = converted("relu_cap", "direct")
    drive = drive_of(network, "direct")
    x = drive / network.inputs[0].coding.levels
    readout = network.populations[-1]
    found = ideal_rates(network, drive)[readout.name] * readout.scale
    expected = graph.predict(x.reshape(-1, *network.input_shape))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
