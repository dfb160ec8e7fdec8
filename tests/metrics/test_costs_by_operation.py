"""Operations and energy of an inference against counts by hand, and the constants against their source."""

from __future__ import annotations

import numpy as np
import pytest

from kgenn.backends.reference import ReferenceSimulator
from kgenn.conversion.base import Converter
from kgenn.metrics.counts import spike_counts, synaptic_operations
from kgenn.metrics.energy import (
    ADDED_BIT,
    ADDITION,
    MULTIPLIED_BITS,
    MULTIPLY_ACCUMULATE,
    energy_of,
    energy_of_macs,
    fetched,
)
from kgenn.metrics.operations import NeuronUpdates, Operations, SynapticOperations, operations_of
from kgenn.metrics.result import ResultTally
from kgenn.metrics.twin import TwinTally, twin_activations
from recordings import EVERYTHING, METHODS, converted, drive_of, goals_of

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["residual_shortcut", "max_pool_conv", "pool_conv", "concat_pool_conv"])
def test_additions_multiplications_and_updates_are_those_counted_one_by_one(name: str, method: str) -> None:
    converter, (steps, *_) = METHODS[method]
    network = converted(name, "direct", converter, num_timesteps=steps)
    raster = ReferenceSimulator(network).run(drive_of(network, "direct", 4), 0, EVERYTHING).raster
    assert raster is not None
    counts = {p.name: sum(spike_counts(p, sample) for sample in raster[p.name]) for p in network.spiking}
    found = operations_of(network, counts, 4)
    graded = method == "calibrated"
    total = synaptic_operations(network, counts, 4)
    (source,) = network.inputs
    direct = float(network.fan_out[source.name].sum())
    assert found.graded == graded
    assert found.multiplications == pytest.approx(direct + total * graded)
    assert found.additions == pytest.approx(total * (not graded))
    stages = 2 if network.code.staged else 1
    neurons = sum(p.size for p in network.populations if p.name != source.name)
    assert found.membrane_updates == neurons * steps * stages
    for s, c in zip(found.synaptic, network.connections, strict=True):
        assert s.num_weights == c.connectivity.weights.size
        assert np.abs(c.connectivity.weights).max() < 2 ** (s.weight_bits - 1)


def test_average_pooling_of_a_direct_input_adds_before_it_multiplies() -> None:
    network = converted("pool_input", "direct")
    (c,) = (c for c in network.connections if c.pool is not None)
    ones = c.connectivity.with_weights(np.ones_like(c.connectivity.weights))
    products = float(ones.apply(np.ones((1, ones.num_sources))).sum())
    sums = float(c.pool.apply(np.ones((1, network.num_inputs), np.float32)).sum())
    assert network.fan_out[c.source].sum() > products > 0
    counts = {p.name: np.zeros(p.size, np.int64) for p in network.spiking}
    found = operations_of(network, counts, 1)
    assert (found.multiplications, found.additions) == (products, sums)
    drive = drive_of(network, "direct", 3)
    tally = TwinTally(network)
    tally.add({name: np.zeros_like(values) for name, values in twin_activations(network, drive).items()})
    twin = tally.result({}).operations
    assert (twin.multiplications, twin.additions) == (products, sums)
    result = ResultTally(network, goals_of(network)).result({}, 0.0, 0.0)
    assert result.direct_macs == products


def test_an_input_that_spikes_is_added_and_updated() -> None:
    network = converted("dense", "poisson")
    counts = {p.name: np.ones(p.size, np.int64) for p in network.spiking}
    found = operations_of(network, counts, 1)
    assert (found.multiplications, found.additions) == (0, 7 * 9 + 9 * 4)
    assert found.membrane_updates == (7 + 9 + 4) * network.num_timesteps


@pytest.mark.parametrize("converter", [METHODS["few-spike"][0], METHODS["ttfs"][0]])
def test_sums_of_double_neurons_are_wide_only_where_a_step_needs_it(converter: Converter) -> None:
    network = converted("dense_deep", "direct", converter, num_timesteps=7)
    counts = {p.name: np.ones(p.size, np.int64) for p in network.spiking}
    found = operations_of(network, counts, 1)
    assert {u.variable_bits for u in found.updates} == {64}
    wide = {p.name: network.has_double_currents(p) for p in network.populations}
    assert [s.accumulator_bits == 64 for s in found.synaptic] == [wide[c.target] for c in network.connections]


@pytest.mark.parametrize(("bits", "addition", "multiplication"), [(8, 0.03, 0.2), (32, 0.1, 3.1)])
def test_integer_constants_fit_the_published_widths(bits: int, addition: float, multiplication: float) -> None:
    # Horowitz 2014, figure 1.1.9, in pJ
    assert bits * ADDED_BIT * 1e12 == pytest.approx(addition, rel=0.21)
    assert bits * bits * MULTIPLIED_BITS * 1e12 == pytest.approx(multiplication, rel=0.04)


@pytest.mark.parametrize(("size", "energy"), [(8, 10), (32, 20), (1024, 100)])
def test_memory_constants_fit_the_published_sizes(size: int, energy: float) -> None:
    assert fetched(64, size * 1024) * 1e12 == pytest.approx(energy, rel=0.14)


def test_a_memory_is_no_smaller_and_no_larger_than_those_published() -> None:
    assert fetched(64, 10) == fetched(64, 8192)
    assert fetched(64, 1 << 30) == fetched(64, 1 << 20)


def test_energy_is_operations_times_their_cost() -> None:
    synapses = (
        SynapticOperations(1000.0, 1, 8, 100, 10, 32),
        SynapticOperations(50.0, 4, 8, 100, 10, 32),
    )
    updated = (NeuronUpdates(20.0, 10, 2, 32),)
    found = energy_of(Operations(synapses, updated))
    assert found.float32 == pytest.approx(1000 * ADDITION + 50 * MULTIPLY_ACCUMULATE)
    added, multiplied = 32 * ADDED_BIT, 4 * 8 * MULTIPLIED_BITS
    assert found.integer == pytest.approx(1050 * added + 50 * multiplied + 20 * 3 * added)
    assert found.memory == pytest.approx(
        found.integer + 1050 * (fetched(8, 100) + fetched(64, 40)) + 20 * fetched(5 * 32, 80)
    )
    assert energy_of_macs(300) == pytest.approx(300 * MULTIPLY_ACCUMULATE)
