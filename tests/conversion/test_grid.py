"""The integer grid: whole weights, sums below 2**24 in any order, an even unit, or KG404."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgenn.backends.simulate import simulate
from kgenn.conversion.convert import convert_graph
from kgenn.conversion.grid import LARGEST_READOUT_UNIT, LARGEST_UNIT, SMALLEST_UNIT, Gridded, to_grid
from kgenn.conversion.neurons import INTEGRATE_FIRE
from kgenn.conversion.recipe import recipe_of
from kgenn.diagnostics import KgennError
from kgenn.ir.connectivity import Dense
from kgenn.ir.graph import Array
from kgenn.ir.network import EXACT, Connection, Network
from networks import ENCODERS, RECIPES, build, samples
from recordings import converted, drive_of

each_network = pytest.mark.parametrize("name", RECIPES)
each_encoder = pytest.mark.parametrize("encoder", ENCODERS)


def whole(values: Array) -> bool:
    return values.dtype == np.float32 and np.array_equal(values, np.rint(values))


def amplitude(network: Network, connection: Connection) -> float:
    """Return the largest value that a connection's source sends in a step."""
    coding = network.coding
    analog = network.is_analog(connection)
    return max(abs(coding.low), abs(coding.high)) if analog else 1.0


@each_encoder
@each_network
def test_weights_biases_and_thresholds_are_integers(name: str, encoder: str) -> None:
    network = converted(name, encoder)
    assert all(whole(c.connectivity.weights) for c in network.connections)
    for p in network.populations[1:]:
        assert p.bias is None or whole(p.bias)
        assert p.unit == int(p.unit)
        # what sends the largest of its sources' values counts them as they are
        assert p.unit == 1 if p.maximum else p.unit % 2 == 0
        if p.neuron is INTEGRATE_FIRE:
            assert p.params == {"v_thresh": p.unit}
            assert p.initial == {"v": p.unit / 2}


@each_encoder
@each_network
def test_no_current_of_a_step_reaches_what_float32_cannot_hold(name: str, encoder: str) -> None:
    network = converted(name, encoder)
    for p in network.populations[1:]:
        total = np.zeros(p.size) if p.bias is None else np.abs(p.bias.astype(np.float64))
        for c in network.incoming[p.name]:
            total += c.magnitude() * amplitude(network, c)
        assert total.max() < EXACT


@pytest.mark.parametrize("encoder", ["direct", "poisson-signed"])
@each_network
def test_currents_add_up_exactly_in_any_order(name: str, encoder: str) -> None:
    network = converted(name, encoder)
    rng = np.random.default_rng(2)
    for c in network.connections:
        weights = np.abs(c.connectivity.weights).ravel()[: 1 << 14]
        largest = c.connectivity.with_weights(np.abs(c.connectivity.weights)).apply(
            np.ones((1, c.connectivity.num_sources), np.float32)
        )
        assert largest.max() < EXACT
        # as many of the weights as fit, in three orders
        row = weights[: max(1, int(np.searchsorted(np.cumsum(weights.astype(np.float64)), EXACT - 1)))]
        exact = row.astype(np.int64).sum()
        for _ in range(3):
            running = np.float32(0)
            for w in rng.permutation(row):
                running = np.float32(running + w)
            assert int(running) == exact


@each_network
def test_a_direct_current_is_whole_and_fits_too(name: str) -> None:
    network = converted(name, "direct")
    drive = drive_of(network, "direct")
    for c in network.connections:
        if network.is_analog(c):
            current = network.direct_current(c, drive)
            assert whole(current)
            assert np.abs(current).max() < EXACT


def gridded(
    weights: Array, bias: Array | None = None, amplitudes: float = 1.0, largest: int = LARGEST_UNIT
) -> Gridded:
    return to_grid("p", [Connection("s", "p", Dense(weights))], bias, [amplitudes], largest)


@given(
    st.integers(1, 30),
    st.integers(1, 5),
    st.floats(-4, 4),
    st.booleans(),
    st.floats(1, 300),
    st.integers(0, 99),
)
def test_any_population_gets_the_finest_grid_that_fits(
    sources: int, targets: int, exponent: float, biased: bool, widest: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(sources, targets)) * 10.0**exponent
    bias = rng.normal(size=targets) * 10.0**exponent if biased else None
    reach = (np.abs(weights).sum(axis=0) * widest + (0 if bias is None else np.abs(bias))).max()
    if reach * (SMALLEST_UNIT + 4) > 0.95 * EXACT:
        return
    grid = gridded(weights, bias, widest)
    (connection,) = grid.connections
    w = connection.connectivity.weights
    assert whole(w)
    assert grid.unit % 2 == 0
    total = np.abs(w.astype(np.float64)).sum(axis=0) * widest + (0 if grid.bias is None else np.abs(grid.bias))
    assert total.max() < EXACT
    assert np.abs(w.astype(np.float64) / grid.unit - weights).max() <= 0.5 / grid.unit * (1 + 1e-9)
    # no more than one part in a hundred of the range is given away
    assert grid.unit >= 0.98 * min(LARGEST_UNIT, EXACT / reach) - 4 or grid.unit < 1000


def test_the_rounding_is_reported_relative_to_the_largest_weight() -> None:
    grid = gridded(np.array([[1.0], [1 / 3]]), largest=SMALLEST_UNIT)
    assert grid.unit == 16
    assert grid.rounding == (pytest.approx(abs(5 / 16 - 1 / 3)),)


def test_weights_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(KgennError, match=r"KG404.*p: the weights into one neuron sum up to 2e\+06 thresholds"):
        gridded(np.full((20, 2), 1e5))


def test_a_population_without_input_gets_the_largest_unit() -> None:
    assert gridded(np.zeros((3, 2))).unit == LARGEST_UNIT
    assert to_grid("p", [], None, [], LARGEST_READOUT_UNIT).unit == LARGEST_READOUT_UNIT


def test_a_network_whose_scale_is_far_too_small_is_refused() -> None:
    with pytest.raises(KgennError, match="KG404"):
        convert_graph(build("dense"), recipe_of(), 1e-7 * samples(build("dense"), 4), 4, simulate)
