"""Fission: copies change no value, together they are one neuron of a finer threshold, few steps lose little."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import kgenn
from kgenn.backends.reference import ReferenceSimulator
from kgenn.conversion.copies import copied, neurons_of_a_copy, staggered, with_copies
from kgenn.conversion.data_norm import DataNorm
from kgenn.conversion.fission import Fission, shared_out
from kgenn.conversion.fission_neurons import Firing, beginnings, fit, settled
from kgenn.conversion.spike_trains import pooled, sent, some_values
from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Array, Graph, Node
from kgenn.ir.recording import Recording
from kgenn.ir.validate import check_network
from kgenn.layers.activation import ReLU
from kgenn.layers.pooling import MaxPool
from networks import build, samples
from outcome import CALIBRATION, IMAGES, MODEL
from recordings import EVERYTHING, conversion, converted, drive_of

NETWORKS = ["dense_deep", "conv_same", "residual_relu", "residual_plain", "concat_pool_conv", "skip_to_readout"]
POOLED = ["max_pool_overlapping_same", "max_pool_skip", "max_pool_output", "max_pool_concat", "max_pool_cap"]


def images(path: Path) -> tuple[Array, Array]:
    """Return the first images of a shipped file in [0, 1], and their labels."""
    with np.load(path) as data:
        return data["x"][:300, ..., np.newaxis] / np.float32(255), data["y"][:300]


def relus(graph: Graph) -> list[str]:
    return [node.name for node in graph.nodes if isinstance(node.layer, ReLU)]


@pytest.mark.parametrize("name", [*NETWORKS, *POOLED])
def test_a_graph_with_copies_computes_what_it_did(name: str) -> None:
    graph = conversion(name).lowered
    copies = {relu: 1 + number % 4 for number, relu in enumerate(relus(graph), start=1)}
    changed = with_copies(graph, copies)
    x = samples(graph, 5, -1.0, 1.0)
    expected, found = dict(graph.forward(x)), dict(changed.forward(x))
    for old, new in zip(graph.outputs, changed.outputs, strict=True):
        np.testing.assert_allclose(found[new.node], expected[old.node], rtol=1e-5, atol=1e-6)
    for node, number in copied(graph, copies).items():
        np.testing.assert_allclose(found[node], np.repeat(expected[node], number, axis=-1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [*NETWORKS, *POOLED])
def test_the_neurons_that_copies_add_are_those_that_are_counted(name: str) -> None:
    plain = converted(name, converter=Fission(extra=0), num_timesteps=4)
    split = converted(name, converter=Fission(extra=3, copies=4), num_timesteps=4)
    size = {network: sum(p.size for p in network.hidden) for network in (plain, split)}
    assert size[split] == 4 * size[plain]
    assert sum(neurons_of_a_copy(conversion(name).lowered).values()) == size[plain]


def one_by_one(currents: Array, thresholds: Array, starts: Array) -> Array:
    """Return the spikes of each step of integrate-and-fire neurons, (T, N, neurons) from (T, N, neurons)."""
    v, spikes = np.tile(starts, (currents.shape[1], 1)), np.zeros(currents.shape)
    for t, current in enumerate(currents):
        v = v + current
        spikes[t] = v >= thresholds
        v = v - thresholds * spikes[t]
    return spikes


@pytest.mark.parametrize("potential", [0.5, 0.0, -1.5])
@pytest.mark.parametrize("number", [1, 2, 3, 5])
def test_staggered_neurons_are_together_one_of_a_finer_threshold(number: int, potential: float) -> None:
    rng = np.random.default_rng(number)
    scale = rng.uniform(0.5, 2, 3)
    currents = rng.normal(0.2, 1.0, (9, 40, 3)).astype(np.float32)  # of both signs, and beyond the largest rate
    firing = Firing(scale, number, np.full(3, potential), np.zeros(3))
    starts = staggered(firing.potential, number) * np.repeat(scale, number)
    alone = one_by_one(np.repeat(currents, number, axis=-1), np.repeat(scale, number), starts)
    together = alone.reshape(9, 40, 3, number).mean(axis=-1) * scale
    np.testing.assert_allclose(sent(firing, currents, 9), together, atol=1e-5)
    assert together.max() > 0


def counts_of(recording: Recording, name: str) -> Array:
    assert recording.train_values is not None
    return recording.train_values[name]


def test_the_network_starts_where_the_fit_says_and_sends_what_it_foresaw() -> None:
    found = conversion("conv_same", converter=Fission(), num_timesteps=6)
    network, settings = found.network, found.settings
    drive = drive_of(network, "direct")
    recording = ReferenceSimulator(network).run(drive, 0, EVERYTHING)
    first = network.hidden[0]
    relu = next(name for name in settings.scales if name.startswith(first.name))
    number, starts = settings.copies[relu], settings.potentials[relu]
    assert first.potential is not None
    per_channel = first.potential.reshape(-1, first.shape[-1]) / first.unit
    np.testing.assert_allclose(per_channel, np.broadcast_to(starts, per_channel.shape), atol=2 / first.unit)
    (connection,) = network.incoming[first.name]
    assert first.bias is not None
    current = (network.direct_current(connection, drive) + first.bias) / first.unit  # in thresholds
    spikes = one_by_one(np.tile(current, (6, 1, 1)), np.ones(first.size), first.potential / first.unit)
    assert np.array_equal(spikes.sum(axis=0), counts_of(recording, first.name))
    assert number > 1
    assert len(set(np.round(starts[:number] % 1, 6))) == number


@pytest.mark.parametrize("name", [*NETWORKS, *POOLED])
def test_spikes_are_zero_or_one(name: str) -> None:
    network = converted(name, converter=Fission(), num_timesteps=5)
    recording = ReferenceSimulator(network).run(drive_of(network, "direct"), 0, EVERYTHING)
    assert recording.raster is not None
    assert {int(v) for raster in recording.raster.values() for v in np.unique(raster)} == {0, 1}


@pytest.mark.parametrize("name", POOLED)
def test_a_pool_of_spike_trains_sends_the_largest_sum(name: str) -> None:
    graph = build(name)
    layer = next(node.layer for node in graph.nodes if isinstance(node.layer, MaxPool))
    trains = np.random.default_rng(1).integers(0, 3, (7, 4, 6, 6, 2)).astype(np.float32)
    found = pooled(layer, trains, 3)
    for steps in range(1, 8):
        np.testing.assert_allclose(found[:steps].sum(axis=0), layer.forward(trains[:steps].sum(axis=0)))


@pytest.mark.parametrize("zeros", [0.5, 0.97])
def test_a_fit_finds_the_potential_and_shift_that_undo_a_burst_in_the_first_step(zeros: float) -> None:
    before = np.random.default_rng(3).uniform(-0.5, 0.5, (2000, 1)).astype(np.float32)
    before[: int(2000 * (2 * zeros - 1))] *= -np.sign(before[: int(2000 * (2 * zeros - 1))])
    currents = np.tile(before, (8, 1, 1))
    currents[0] += 0.6  # says too much first
    currents[1] -= 0.6  # and takes it back
    wanted, scale = np.maximum(before, 0), np.full(1, 0.5)
    found = fit(Node("relu", ReLU()), currents, wanted, 8, scale, 1)
    plain = Firing(scale, 1, np.full(1, 0.5), np.zeros(1))
    errors = [np.mean((sent(f, currents, 8).mean(axis=0) - wanted) ** 2) for f in (found, plain)]
    assert found.potential[0] < 0
    assert errors[0] < 0.5 * errors[1]


def test_choosing_on_few_values_first_is_nearly_as_good_as_trying_all_on_all() -> None:
    rng = np.random.default_rng(5)
    scale, wanted = rng.uniform(0.5, 2, 12), rng.exponential(0.3, (6000, 12)).astype(np.float32)
    wanted[rng.random(wanted.shape) < 0.5] = 0
    currents = wanted - (wanted == 0) * rng.exponential(0.3, wanted.shape).astype(np.float32)
    currents = currents + rng.normal(0, 0.3, (4, *wanted.shape)).astype(np.float32)  # differ from step to step
    node = Node("relu", ReLU())
    _, found = fit(node, currents, wanted, 4, scale, 2).errors(currents, wanted, 4)
    all_tried = [settled(firing, currents, wanted, 4)[1] for firing in beginnings(node, scale, 2, 4)]
    assert (found <= 1.03 * np.min(all_tried, axis=0)).all()
    assert (found < 0.97 * all_tried[0]).any()


def test_no_threshold_is_above_a_cap() -> None:
    wanted = np.full((64, 2), 0.5, np.float32)
    found = fit(Node("relu", ReLU(max_value=0.6)), wanted[np.newaxis], wanted, 4, np.array([0.6, 3.0]), 2)
    assert found.scale.max() <= 0.6


def test_a_fit_looks_at_the_same_values_every_time() -> None:
    currents, wanted = np.arange(20000.0).reshape(1, 20000, 1), np.arange(20000.0).reshape(20000, 1)
    first, second = some_values(currents, wanted, 8192), some_values(currents, wanted, 8192)
    assert len(first[1]) == 8192
    assert np.array_equal(first[0][0], first[1])
    assert all(map(np.array_equal, first, second))


def left_over(copies: Mapping[str, int], errors: Mapping[str, float]) -> float:
    return sum(errors[name] / n**2 for name, n in copies.items())


@pytest.mark.parametrize("extra", [0.0, 0.4, 1.5, 3.0, 100.0])
def test_copies_go_where_they_tell_most_and_no_further_than_allowed(extra: float) -> None:
    sizes, errors = {"a": 900, "b": 300, "c": 300, "d": 40}, {"a": 5.0, "b": 0.2, "c": 1.0, "d": 0.5}
    copies = shared_out(sizes, errors, extra, 4)
    used = sum((copies[name] - 1) * size for name, size in sizes.items())
    allowed = extra * sum(sizes.values())
    assert used <= allowed
    assert all(1 <= n <= 4 for n in copies.values())
    # nothing that would still fit is left out
    assert all(copies[name] == 4 or size > allowed - used for name, size in sizes.items())
    # for what it used, moving a copy from one layer to another takes no more away
    for taken, given in product(sizes, sizes):
        moved = {**copies, taken: copies[taken] - 1, given: copies[given] + 1}
        if taken != given and copies[taken] > 1 and copies[given] < 4 and sizes[given] <= sizes[taken]:
            assert left_over(moved, errors) >= left_over(copies, errors) - 1e-12


def test_a_layer_that_changes_no_output_gets_no_copies() -> None:
    assert shared_out({"a": 10, "b": 10}, {"a": 0.0, "b": 1e-9}, 3.0, 4) == {"a": 1, "b": 4}


def test_more_neurons_and_more_steps_come_nearer_to_the_model() -> None:
    def error(extra: float, steps: int) -> float:
        found = conversion("dense_deep", converter=Fission(extra=extra, copies=8), num_timesteps=steps)
        network = found.network
        x = samples(build("dense_deep"), 64, -1.0, 1.0, seed=11)
        scores = ReferenceSimulator(network).run(network.drive(x), 0).scores[:, -1]
        last = network.readouts[0]
        said = scores / (last.unit * steps) * last.scale
        wanted = dict(found.exact.forward(x))[found.exact.ends[0]]
        return float(np.sqrt(np.mean((said - wanted) ** 2)) / np.std(wanted))

    assert error(7, 4) < 0.6 * error(0, 4)
    assert error(0, 32) < 0.4 * error(0, 4)


@pytest.mark.slow
def test_four_steps_of_the_shipped_network_say_more_than_without_it() -> None:
    graph = kgenn.load(MODEL)
    (calibration, _), (x, y) = (images(path) for path in (CALIBRATION, IMAGES))
    expected, off = graph.predict(x), {}
    for converter in (Fission(), DataNorm()):
        network = kgenn.convert(
            graph, converter=converter, calibration=calibration, timesteps=4, readout="current"
        )
        said = kgenn.compile(network).predict(x)
        assert np.mean(said.argmax(axis=-1) == y) > 0.98
        off[converter.name] = float(np.mean((said - expected) ** 2))
    assert off["fission"] < 0.5 * off["data-norm"]


@pytest.mark.parametrize("options", [{"extra": -0.1}, {"extra": float("inf")}, {"copies": 0}, {"copies": 17}])
def test_options_that_are_none_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(KgennError, match="KG401"):
        Fission(**options)  # type: ignore[arg-type]


def test_potentials_that_fit_no_population_are_refused() -> None:
    network = converted("dense", converter=Fission(), num_timesteps=4)
    check_network(network)
    *before, hidden, last = network.populations
    for wrong in (np.zeros(3, np.float32), np.zeros(hidden.size)):
        with pytest.raises(ValueError, match="potentials"):
            check_network(replace(network, populations=(*before, replace(hidden, potential=wrong), last)))
    staged = converted("dense", converter=kgenn.FewSpike(), num_timesteps=4)
    first, *rest = staged.populations
    odd = replace(rest[0], potential=np.zeros(rest[0].size, np.float32))
    with pytest.raises(ValueError, match="potentials"):
        check_network(replace(staged, populations=(first, odd, *rest[1:])))


@pytest.mark.parametrize("size", [2.0**-100, 2.0**100])
def test_a_fit_is_the_same_for_the_smallest_and_the_largest_values(size: float) -> None:
    wanted = np.random.default_rng(2).exponential(1, (400, 2)).astype(np.float32)
    scale, node = np.array([0.9, 1.7]), Node("relu", ReLU())
    found = fit(node, wanted[np.newaxis], wanted, 4, scale, 2)
    there = wanted * np.float32(size)
    scaled = fit(node, there[np.newaxis], there, 4, scale * size, 2)
    for name in ("scale", "shift"):
        assert np.array_equal(getattr(scaled, name), getattr(found, name) * size)
    assert np.array_equal(scaled.potential, found.potential)
