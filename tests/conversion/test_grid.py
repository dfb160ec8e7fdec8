"""The integer grid: whole weights, sums exact in any order, never coarser than the code, or KG404."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgenn.backends.simulate import simulate
from kgenn.conversion.base import Converter
from kgenn.conversion.convert import convert_graph
from kgenn.conversion.data_norm import DataNorm
from kgenn.conversion.fission import Fission
from kgenn.conversion.grid import LARGEST_READOUT_UNIT, LARGEST_UNIT, narrowed, to_grid
from kgenn.conversion.inflow import SMALLEST_UNIT, Gridded, Inflow
from kgenn.conversion.neurons import INTEGRATE_FIRE
from kgenn.conversion.precision import FINE, SourceSignal
from kgenn.conversion.recipe import recipe_of
from kgenn.diagnostics import KgennError
from kgenn.encoders.integrate_fire import IntegrateFire
from kgenn.ir.connectivity import Convolution, DenseConnectivity
from kgenn.ir.graph import Array
from kgenn.ir.network import EXACT, Connection, Network
from kgenn.ir.spike_sums import SumPool
from looped import looped
from networks import ENCODERS, RECIPES, build, samples
from recordings import converted, drive_of

each_network = looped("name", RECIPES)
each_encoder = pytest.mark.parametrize("encoder", ENCODERS)


def whole(values: Array, double: bool = False) -> bool:
    kinds = (np.float32, np.float64) if double else (np.float32,)
    return values.dtype in kinds and np.array_equal(values, np.rint(values))


def exact_below(network: Network, name: str) -> int:
    """Return where integers end to be exact in the precision of a population."""
    return 1 << 53 if network.by_name[name].neuron.precision == "double" else EXACT


def amplitude(network: Network, connection: Connection) -> float:
    """Return the largest value that a connection's source sends in a step."""
    coding = network.inputs[0].coding
    analog = network.is_analog(connection)
    return max(abs(coding.low), abs(coding.high)) if analog else 1.0


def granules(connections: Sequence[Connection], bias: Array | None, size: int) -> Array:
    """Return the largest power of two that divides all weights into each neuron and its bias, up to 2**18."""
    found = np.ones(size)
    for power in 2.0 ** np.arange(1, 19):
        whole = np.ones(size, bool) if bias is None else bias % power == 0
        for c in connections:
            whole &= c.connectivity.into_targets((c.connectivity.weights % power != 0).astype(np.float64)) == 0
        found[whole] = power
    return found


def granules_of(network: Network, name: str) -> Array:
    """Return the granule of each neuron of a population."""
    population = network.by_name[name]
    return granules(network.incoming[name], population.bias, population.size)


@pytest.mark.quick
@each_encoder
@each_network
def test_weights_biases_and_thresholds_are_integers(name: str, encoder: str) -> None:
    network = converted(name, encoder)
    assert all(whole(c.connectivity.weights) for c in network.connections)
    for p in network.populations[1:]:
        assert p.bias is None or whole(p.bias, double=p.neuron.precision == "double")
        assert p.unit == int(p.unit)
        # what sends the largest of its sources' values counts them as they are
        assert p.unit == 1 if p.maximum else p.unit % 2 == 0
        if p.neuron is INTEGRATE_FIRE:
            assert p.params == {"v_thresh": p.unit}
            assert p.initial == {"v": p.unit / 2}


@each_encoder
@each_network
def test_no_current_of_a_step_reaches_what_its_precision_cannot_hold(name: str, encoder: str) -> None:
    network = converted(name, encoder)
    for p in network.populations[1:]:
        total = np.zeros(p.size) if p.bias is None else np.abs(p.bias.astype(np.float64))
        for c in network.incoming[p.name]:
            total += c.magnitude() * amplitude(network, c)
        assert (total < exact_below(network, p.name) * granules_of(network, p.name)).all()


@pytest.mark.parametrize("encoder", ["direct", "poisson-signed"])
@each_network
def test_currents_add_up_exactly_in_any_order(name: str, encoder: str) -> None:
    network = converted(name, encoder)
    rng = np.random.default_rng(2)
    for c in network.connections:
        if network.by_name[c.target].neuron.precision == "double":
            continue  # sums far below 2**53
        kind = c.connectivity
        kind = kind.scaled(np.ones(kind.num_sources), 1 / granules_of(network, c.target))
        weights = np.abs(kind.weights).ravel()[: 1 << 14]
        largest = kind.with_weights(np.abs(kind.weights)).apply(np.ones((1, kind.num_sources), np.float32))
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
            assert whole(current, double=True)
            assert np.abs(current).max() < exact_below(network, c.target)


def gridded(
    weights: Array, bias: Array | None = None, amplitudes: float = 1.0, largest: int = LARGEST_UNIT
) -> Gridded:
    return to_grid(
        Inflow(
            "p", (Connection("s", "p", DenseConnectivity(weights)),), bias, (SourceSignal(amplitudes),), largest
        )
    )


@pytest.mark.quick
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
    largest = narrowed(LARGEST_UNIT, [Connection("s", "p", DenseConnectivity(weights))])
    assert grid.unit >= 0.98 * min(largest, EXACT / reach) - 4 or grid.unit < 1000


def test_the_rounding_is_reported_relative_to_the_largest_weight() -> None:
    grid = gridded(np.array([[1.0], [1 / 3]]), largest=SMALLEST_UNIT)
    assert grid.unit == 16
    assert grid.rounding == (pytest.approx(abs(5 / 16 - 1 / 3)),)


def test_weights_that_float64_cannot_add_up_are_refused() -> None:
    with pytest.raises(KgennError, match=r"KG404.*p: the weights into one neuron sum up to 2e\+15 thresholds"):
        gridded(np.full((20, 2), 1e14))


# a source whose trains have a thousand levels, used to the full
BUSY = SourceSignal(1.0, 300.0, 500.0)


def pooled(size: int, channels: int, targets: int, seed: int = 0) -> Connection:
    """Return a dense layer behind a global average pooling of size by size."""
    weights = np.random.default_rng(seed).normal(size=(channels, targets)) / size**2
    pool = SumPool((size, size, channels), (1, 1, channels), (size, size), (1, 1))
    return Connection("s", "p", DenseConnectivity(weights), pool)


@given(st.integers(1, 400), st.integers(1, 64), st.integers(1, 4), st.booleans(), st.integers(0, 99))
def test_the_grid_behind_a_pool_of_any_size_is_never_coarser_than_the_code(
    size: int, channels: int, targets: int, spiking: bool, seed: int
) -> None:
    connection = pooled(size, channels, targets, seed)
    inflow = Inflow("p", (connection,), None, (BUSY,), LARGEST_UNIT, stage=1023, spiking=spiking)
    grid = to_grid(inflow)
    assert inflow.coarseness(grid) <= 1
    total = grid.connections[0].magnitude()
    in_granules = (total / granules(grid.connections, grid.bias, targets)).max()
    assert in_granules < EXACT or (grid.double and total.max() * inflow.stage < 1 << 53)


def test_a_pool_that_float32_cannot_resolve_gets_a_double_grid_whose_unit_is_a_power_of_two() -> None:
    inflow = Inflow("p", (pooled(64, 8, 3),), np.ones(3), (BUSY,), LARGEST_UNIT, stage=1023)
    grid = to_grid(inflow)
    assert grid.double
    assert grid.unit & (grid.unit - 1) == 0
    assert inflow.coarseness(grid) <= FINE
    assert grid.bias is not None
    assert np.array_equal(grid.bias, np.full(3, grid.unit, np.float64))
    # as a product of floats; every partial sum is a whole number
    assert whole(grid.connections[0].connectivity.weights)


@given(st.floats(1, 9), st.integers(0, 99))
def test_a_neuron_with_large_weights_leaves_its_neighbours_their_precision(exponent: float, seed: int) -> None:
    weights = np.random.default_rng(seed).normal(size=(64, 8)) / 8
    weights[:, 3] *= 10.0**exponent
    source = SourceSignal(1.0, 60.0, 100.0)
    inflow = Inflow(
        "p", (Connection("s", "p", DenseConnectivity(weights)),), None, (source,), LARGEST_UNIT, stage=255
    )
    grid = to_grid(inflow)
    assert inflow.coarseness(grid) <= 1
    error = grid.connections[0].connectivity.weights.astype(np.float64) / grid.unit - weights
    others = np.delete(error, 3, axis=1)
    assert 100 * np.sqrt((others**2).sum(axis=0)).max() <= 1


@given(st.floats(0, 2), st.booleans(), st.integers(0, 99))
def test_channels_with_large_weights_get_a_granule_and_float32_is_enough(
    exponent: float, biased: bool, seed: int
) -> None:
    kernel = np.random.default_rng(seed).normal(size=(3, 3, 16, 8)) * 2
    kernel[..., 3] *= 10.0**exponent
    kind = Convolution(kernel, (6, 6, 16), (6, 6, 8), (1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    bias = np.tile(np.linspace(-0.3, 0.3, 8), 36) if biased else None
    inflow = Inflow("p", (Connection("s", "p", kind),), bias, (SourceSignal(1.0, 300.0, 500.0),), LARGEST_UNIT)
    grid = to_grid(inflow)
    assert not grid.double
    assert inflow.coarseness(grid) <= 1
    step = np.broadcast_to(grid.granule, (kind.num_targets,))
    assert np.array_equal(step.reshape(-1, 8), np.tile(step[:8], (36, 1)))  # the same in all pixels
    assert (grid.unit / step % 2 == 0).all()
    assert (granules(grid.connections, grid.bias, kind.num_targets) >= step).all()
    weights = grid.connections[0].connectivity.weights
    assert np.abs(weights / step[:8]).max() < 1 << 15
    assert (inflow.reaches(grid.connections, grid.bias) < EXACT * step).all()


@pytest.mark.parametrize("converter", [DataNorm(initial_potential=0.3), Fission()], ids=str)
def test_thresholds_and_initial_potentials_are_multiples_of_the_granule(converter: Converter) -> None:
    network = converted("loud_channels", "direct", converter)
    loud = network.populations[2]
    step = granules_of(network, loud.name)
    assert step.max() > 1
    assert (loud.unit % step == 0).all()
    start = loud.starts["v"]
    assert (start % step == 0).all()
    if isinstance(converter, DataNorm):
        assert np.abs(start / loud.unit - 0.3).max() <= 1 / SMALLEST_UNIT


@given(st.floats(0, 12), st.integers(1, 300))
def test_a_bias_that_silences_a_neuron_for_good_costs_no_precision(exponent: float, heard: int) -> None:
    weights = np.random.default_rng(1).normal(size=(30, 4))
    bias = np.array([0.1, -(10.0**exponent), -0.2, 0.0])
    inflow = Inflow(
        "p", (Connection("s", "p", DenseConnectivity(weights)),), bias, (SourceSignal(1.0),), LARGEST_UNIT
    )
    shallow = inflow.without_deep_biases(heard)
    assert shallow.bias is not None
    most = np.abs(weights).sum(axis=0) * heard
    assert np.array_equal(shallow.bias[[0, 2, 3]], bias[[0, 2, 3]])
    assert shallow.bias[1] == pytest.approx(max(bias[1], -most[1] - 1))
    largest = narrowed(LARGEST_UNIT, shallow.connections)
    assert to_grid(shallow).unit >= 0.98 * min(largest, EXACT / (2 * most.max() + 2)) - 4


def test_a_direct_current_into_a_double_grid_is_a_whole_number_in_any_order() -> None:
    kernel = np.random.default_rng(3).normal(size=(5, 5, 3, 4)) * 1000
    kind = Convolution(kernel, (9, 9, 3), (5, 5, 4), (1, 1), ((0, 0), (0, 0)), (1, 1), 1)
    source = SourceSignal(382.5, 100.0, 150.0, analog=True, step=1.5, drive_levels=(levels := 1 << 20))
    grid = to_grid(Inflow("p", (Connection("x", "p", kind),), None, (source,), 1 << 11, stage=4095))
    assert grid.double
    weights = grid.connections[0].connectivity.weights.astype(np.float64)
    # all weights are multiples of a power of two, of which the sum of all products has less than 2**53
    multiple = min(2.0**k for k in range(60) if (weights % 2.0 ** (k + 1)).any())
    total = grid.connections[0].magnitude().max() * 382.5 * levels
    assert total / multiple < 1 << 53


def test_a_population_without_input_gets_the_largest_unit() -> None:
    assert gridded(np.zeros((3, 2))).unit == LARGEST_UNIT
    assert to_grid(Inflow("p", (), None, (), LARGEST_READOUT_UNIT)).unit == LARGEST_READOUT_UNIT


def test_a_network_whose_scale_is_far_too_small_is_refused() -> None:
    with pytest.raises(KgennError, match="KG404"):
        convert_graph(
            build("dense"), recipe_of(None, IntegrateFire()), 1e-15 * samples(build("dense"), 4), 4, simulate
        )
