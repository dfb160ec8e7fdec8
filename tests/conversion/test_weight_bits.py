"""Weights of few bits: within their range on one exact grid, and closer to the model with each bit."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covering import leading
from kgenn.conversion.assembly import RATE_LEVELS
from kgenn.conversion.convert import convert_graph
from kgenn.conversion.data_norm import DataNorm
from kgenn.conversion.few_spike import FewSpike
from kgenn.conversion.grid import LARGEST_UNIT, on_single, to_grid
from kgenn.conversion.inflow import Gridded, Inflow
from kgenn.conversion.precision import FINE, SourceSignal
from kgenn.conversion.recipe import recipe_of
from kgenn.conversion.weight_bits import WeightBits, to_grid_of_bits
from kgenn.diagnostics import KgennError
from kgenn.ir.connectivity import DenseConnectivity, OneToOne
from kgenn.ir.graph import Array
from kgenn.ir.network import EXACT, Connection, Network
from kgenn.ir.recording import RecordingOptions
from kgenn.ir.spike_sums import SumPool
from kgenn.passes import LoweringOptions
from looped import looped
from networks import ALLOW, RECIPES, build, samples
from recordings import converted, on_reference

CHOICES = [4, 8, 16, "auto"]
BUSY = SourceSignal(1.0, 100.0, 200.0)
PIXELS = SourceSignal(1.0, 300.0, 400.0, analog=True, step=4.0, drive_levels=255)


def inflow(weights: Array, bias: Array | None = None, source: SourceSignal = BUSY) -> Inflow:
    return Inflow(
        "p", (Connection("s", "p", DenseConnectivity(weights)),), bias, (source,), LARGEST_UNIT, constant=1024
    )


def drawn(sources: int, targets: int, exponent: float, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=(sources, targets)) * 10.0**exponent


def largest(grid: Gridded) -> float:
    return max(float(np.abs(c.connectivity.weights).max()) for c in grid.connections)


def off(flow: Inflow, grid: Gridded) -> float:
    """Return the mean square of what a grid adds to the currents, for unclipped sources."""
    return float(np.mean(flow.error(grid)))


shapes = given(st.integers(1, 200), st.integers(1, 6), st.floats(-4, 6), st.booleans(), st.integers(0, 99))


@pytest.mark.parametrize("bits", [4, 5, 8, 11, 16])
@shapes
def test_weights_have_no_more_bits_and_sums_stay_exact(
    bits: int, sources: int, targets: int, exponent: float, biased: bool, seed: int
) -> None:
    weights = drawn(sources, targets, exponent, seed)
    bias = drawn(1, targets, exponent, seed + 1)[0] if biased else None
    grid = to_grid_of_bits(inflow(weights, bias), bits, 1.0)
    w = grid.connections[0].connectivity.weights
    assert np.abs(w).max() <= 2 ** (bits - 1) - 1
    assert np.array_equal(w, np.rint(w))
    assert grid.unit % 2 == 0
    assert grid.bias is None or np.array_equal(grid.bias, np.rint(grid.bias))
    total = np.abs(w.astype(np.float64)).sum(axis=0) + (0 if grid.bias is None else np.abs(grid.bias))
    assert total.max() < EXACT or grid.double


@given(st.integers(16, 200), st.integers(2, 6), st.integers(0, 99))
def test_the_error_falls_with_the_bits(sources: int, targets: int, seed: int) -> None:
    flow = inflow(drawn(sources, targets, -1, seed))
    errors = [off(flow, to_grid_of_bits(flow, bits, 1.0)) for bits in (4, 6, 8, 10, 12)]
    # two bits are a sixteenth of the mean square; chance is less than half of that
    assert all(finer < coarser / 4 for coarser, finer in pairwise(errors))


def test_outliers_are_clipped_where_all_others_round_better_for_it() -> None:
    weights = np.clip(drawn(400, 3, -1, 0), -0.2, 0.2)
    weights[0] = 0.6
    flow = inflow(weights)
    grid = to_grid_of_bits(flow, 4, 1.0)
    fitting = on_single(flow, 10)
    assert fitting is not None
    assert largest(fitting) < largest(grid) == 7
    assert grid.unit > 1.5 * fitting.unit
    assert off(flow, grid) < off(flow, fitting)


def test_a_neuron_with_far_larger_weights_leaves_its_neighbours_their_bits() -> None:
    weights = drawn(64, 16, -1, 0)
    ordinary = to_grid_of_bits(inflow(weights), 8, 1.0)
    weights[:, 3] *= 1e4
    odd = to_grid_of_bits(inflow(weights), 8, 1.0)
    assert odd.unit > 0.5 * ordinary.unit


def test_where_a_neuron_leaves_float32_no_room_the_others_keep_their_bits_in_float64() -> None:
    weights = drawn(800, 256, -1.5, 0)
    ordinary = to_grid_of_bits(inflow(weights, source=(graded := SourceSignal(127.0, 100.0, 200.0))), 8, 1.0)
    weights[:, 3] *= 100
    odd = to_grid_of_bits(inflow(weights, source=graded), 8, 1.0)
    assert odd.unit > 0.2 * ordinary.unit


@shapes
def test_auto_is_fine_with_the_fewest_bits_or_changes_nothing(
    sources: int, targets: int, exponent: float, biased: bool, seed: int
) -> None:
    weights = drawn(sources, targets, exponent, seed)
    bias = drawn(1, targets, exponent, seed + 1)[0] if biased else None
    flow = inflow(weights, bias, SourceSignal(1.0, 1.0, 2.0))
    usual, grid = to_grid(flow), to_grid_of_bits(flow, "auto", 0.125)
    if grid.unit == usual.unit:
        assert np.array_equal(grid.connections[0].connectivity.weights, usual.connections[0].connectivity.weights)
        return
    shorter = flow.over(0.125)
    assert shorter.coarseness(grid) <= FINE * (1 + 1e-9) or biased
    assert (shorter.error(grid) <= FINE**2 * shorter.code_error).all()
    bits = int(largest(grid)).bit_length() + 1
    if bits > 4 and len(weights) > 20 and not biased:  # among few numbers chance may favour fewer bits
        fewer = to_grid_of_bits(flow, bits - 1, 1.0)
        assert (shorter.error(fewer) > FINE**2 * shorter.code_error).any()


def test_auto_takes_fewer_bits_in_fewer_steps() -> None:
    flow = inflow(drawn(100, 8, -1, 0))
    bits = [int(largest(to_grid_of_bits(flow, "auto", share))).bit_length() for share in (0.01, 0.1, 1.0)]
    assert bits == sorted(set(bits))


def test_a_bias_that_rounds_badly_counts_against_a_unit() -> None:
    flow = inflow(np.full((1, 1), 0.5), np.full(1, 0.35), SourceSignal(1.0, 0.01, 0.01))
    grid = to_grid_of_bits(flow, 4, 1.0)
    assert grid.bias is not None
    # 14 is where the weight just fits; 20 holds the bias, for a clipped weight of which little comes
    assert grid.bias[0] / grid.unit == pytest.approx(0.35)


@pytest.mark.parametrize("bits", [4, 8, "auto"])
def test_what_no_spike_crosses_stays_as_it_is(bits: WeightBits) -> None:
    flow = inflow(drawn(30, 4, -1, 0), source=PIXELS)
    usual, grid = to_grid(flow), to_grid_of_bits(flow, bits, 1.0)
    assert grid.unit == usual.unit
    assert np.array_equal(grid.connections[0].connectivity.weights, usual.connections[0].connectivity.weights)


def test_an_analog_input_beside_spikes_is_not_clipped() -> None:
    connections = (
        Connection("x", "p", DenseConnectivity(np.full((1, 2), 5.0))),
        Connection("s", "p", OneToOne(np.ones(2))),
    )
    flow = Inflow("p", connections, None, (PIXELS, BUSY), LARGEST_UNIT)
    analog, spikes = (c.connectivity.weights for c in to_grid_of_bits(flow, 4, 1.0).connections)
    assert np.abs(spikes).max() <= 7
    assert np.abs(analog).max() > 7


@pytest.mark.parametrize("bits", [4, 8, 12, 16])
@pytest.mark.parametrize("side", [10, 40, 400])
def test_behind_a_wide_pool_weights_have_their_bits_on_an_exact_grid(bits: int, side: int) -> None:
    weights = drawn(8, 3, 0, 0) / side**2
    pool = SumPool((side, side, 8), (1, 1, 8), (side, side), (1, 1))
    connection = Connection("s", "p", DenseConnectivity(weights), pool)
    flow = Inflow("p", (connection,), np.ones(3), (BUSY,), LARGEST_UNIT, stage=1023)
    grid = to_grid_of_bits(flow, bits, 1.0)
    (rounded,) = grid.connections
    assert np.abs(rounded.connectivity.weights).max() <= 2 ** (bits - 1) - 1
    total = rounded.magnitude().max() + np.abs(np.asarray(grid.bias)).max()
    assert total < EXACT or (grid.double and total * flow.stage < 1 << 53)
    assert grid.unit & (grid.unit - 1) == 0 or not grid.double
    error = rounded.connectivity.weights.astype(np.float64) / grid.unit - weights
    assert np.sqrt(np.mean(error**2)) < 2.0**-bits * np.abs(weights).max() or grid.unit == to_grid(flow).unit


@pytest.mark.parametrize("bits", [4, 5, 8, 11, 16])
@shapes
def test_weights_of_channel_grids_have_no_more_bits_and_sums_stay_exact(
    bits: int, sources: int, targets: int, exponent: float, biased: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    weights = drawn(sources, targets, exponent, seed) * 10.0 ** rng.uniform(-2, 0, targets)
    bias = drawn(1, targets, exponent, seed + 1)[0] if biased else None
    flow = inflow(weights, bias)
    grid, layer = to_grid_of_bits(flow, bits, 1.0, channels=True), to_grid_of_bits(flow, bits, 1.0)
    granule = np.broadcast_to(grid.granule, targets)
    in_granules = grid.connections[0].connectivity.weights / granule
    assert np.abs(in_granules).max() <= 2 ** (bits - 1) - 1
    assert np.array_equal(in_granules, np.rint(in_granules))
    held = 0.0 if grid.bias is None else np.abs(grid.bias) / granule
    assert np.array_equal(held, np.rint(held))
    assert (np.abs(in_granules.astype(np.float64)).sum(axis=0) + held).max() < EXACT or grid.double
    assert (grid.unit % (2 * granule) == 0).all()
    assert lost(flow, grid) <= lost(flow, layer)


def lost(flow: Inflow, grid: Gridded) -> float:
    """Return the mean over the neurons of the error of a grid, 1 for one that is lost."""
    return float(np.mean(np.minimum(flow.error(grid) / (flow.code_error + flow.power), 1.0)))


def test_a_grid_for_each_channel_rounds_small_channels_as_finely_as_large_ones() -> None:
    weights = drawn(200, 6, -1, 0)
    weights[:, 3:] /= 64
    flow = inflow(weights)
    relative = {}
    for channels in (False, True):
        grid = to_grid_of_bits(flow, 8, 1.0, channels)
        error = grid.connections[0].connectivity.weights / grid.unit - weights
        relative[channels] = np.sqrt((error**2).mean(axis=0) / (weights**2).mean(axis=0))
    assert relative[True].max() < 2 * relative[True].min()
    assert relative[True][3:].max() < relative[False][3:].min() / 8
    assert to_grid_of_bits(flow, 8, 1.0, channels=True).granule.min() == 1


@pytest.mark.parametrize("seed", range(5, 35))
def test_automatic_bits_are_no_more_with_a_grid_for_each_channel(seed: int) -> None:
    rng = np.random.default_rng(seed)
    flow = inflow(drawn(50, 4, -1, seed) * 10 ** rng.uniform(-1, 0.3, 4))
    grids = [to_grid_of_bits(flow, "auto", 1.0, channels) for channels in (True, False)]
    channel, layer = (grid.connections[0].connectivity.weight_bits for grid in grids)
    assert channel <= layer


def test_a_channel_grid_clips_where_its_other_weights_round_better_for_it() -> None:
    weights = np.clip(drawn(400, 4, -2, 0), -0.02, 0.02) * np.array([1, 4, 16, 64])
    weights[0, 2] *= 4 * 0.02 * 16 / abs(weights[0, 2])
    flow = inflow(weights)
    grid = to_grid_of_bits(flow, 4, 1.0, channels=True)
    off_by = np.abs(grid.connections[0].connectivity.weights - weights * grid.unit) / grid.granule
    assert off_by[0, 2] > 1
    assert np.delete(off_by, 2, axis=1).max() <= 0.5


def test_channel_grids_are_for_weights_of_few_bits() -> None:
    with pytest.raises(KgennError, match=r"KG401.*weight_grid"):
        LoweringOptions(weight_grid="channel")


@pytest.mark.parametrize("bits", [4, 8])
@looped("name", RECIPES)
def test_every_kind_of_network_has_channel_grids_of_so_many_bits(name: str, bits: WeightBits) -> None:
    network = converted(name, lowering=LoweringOptions(weight_bits=bits, weight_grid="channel"))
    for c in network.connections:
        if not network.is_analog(c) and not network.by_name[c.target].maximum:
            assert c.weight_bits <= bits


def same(one: Network, two: Network) -> bool:
    pairs = zip(one.connections, two.connections, strict=True)
    return all(np.array_equal(a.connectivity.weights, b.connectivity.weights) for a, b in pairs)


@pytest.mark.parametrize("bits", leading(CHOICES))
@looped("name", RECIPES)
def test_every_kind_of_network_has_weights_of_so_many_bits(name: str, bits: WeightBits) -> None:
    network = converted(name, lowering=LoweringOptions(weight_bits=bits))
    usual = converted(name)
    most = 2 ** (16 if bits == "auto" else bits - 1) - 1
    for c, before in zip(network.connections, usual.connections, strict=True):
        if network.is_analog(c) or network.by_name[c.target].maximum:
            continue
        assert np.abs(c.connectivity.weights).max(initial=0) <= max(
            most, np.abs(before.connectivity.weights).max(initial=0) if bits == "auto" else 0
        )


def test_auto_depends_on_the_timesteps_and_the_default_does_not() -> None:
    graph = build("conv_conv")

    def network(bits: WeightBits, steps: int) -> Network:
        recipe = recipe_of(DataNorm(), None, ALLOW, LoweringOptions(weight_bits=bits))
        return convert_graph(graph, recipe, samples(graph, 16), steps, on_reference).network

    assert same(network(None, 4), network(None, RATE_LEVELS))
    assert same(network(8, 4), network(8, RATE_LEVELS))
    assert not same(network("auto", 4), network("auto", RATE_LEVELS))


def test_more_bits_are_closer_to_the_model() -> None:
    graph = build("residual_shortcut")
    x = samples(graph, 64)
    model = np.asarray(graph.predict(x))

    def distance(bits: WeightBits) -> float:
        recipe = recipe_of(FewSpike(), None, ALLOW, LoweringOptions(weight_bits=bits))
        network = convert_graph(graph, recipe, x, 8, on_reference).network
        scores = next(iter(on_reference(network, x, RecordingOptions()))).scores[:, -1].astype(np.float64)
        return 1 - float(np.corrcoef(scores.ravel(), model.ravel())[0, 1])

    four, eight, usual = map(distance, (4, 8, None))
    assert four > 2 * eight
    assert eight < 1e-3
    assert usual <= eight
