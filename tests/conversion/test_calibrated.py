"""Calibrated: sums of signed, graded spikes settle at the rounded activation, and never fall below zero."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest

from kgenn.backends.reference import ReferenceSimulator
from kgenn.conversion.calibrated import Calibrated
from kgenn.conversion.convert import convert_graph
from kgenn.conversion.group_fit import MAX_FITTED, GradedGroup, fit, group_of
from kgenn.conversion.recipe import recipe_of
from kgenn.conversion.spike_trains import sent
from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Array, Node
from kgenn.ir.network import Network
from kgenn.ir.recording import Recording, RecordingOptions
from kgenn.layers.activation import ReLU
from networks import ALLOW, build, samples
from recordings import EVERYTHING, converted, drive_of, on_reference

NETWORKS = ["dense_deep", "residual_plain", "residual_input", "concat_pool_conv", "bias_conv", "skip_to_readout"]


def run(name: str, converter: Calibrated, steps: int) -> tuple[Network, Array, Recording]:
    network = converted(name, "direct", converter, num_timesteps=steps)
    drive = drive_of(network, "direct")
    return network, drive, ReferenceSimulator(network).run(drive, 0, EVERYTHING)


def potentials(network: Network, drive: Array, recording: Recording) -> dict[str, Array]:
    """Return what each population has integrated by the end, from what its sources sent in all."""
    assert recording.train_values is not None
    found = {}
    for p in network.populations[1:]:
        total = (
            np.zeros((len(drive), p.size)) if p.bias is None else np.tile(p.bias, (len(drive), 1)).astype(float)
        )
        for c in network.incoming[p.name]:
            if network.is_analog(c):
                total += network.direct_current(c, drive)
            else:
                total += c.apply(recording.train_values[c.source].astype(float))
        found[p.name] = total
    return found


@pytest.mark.parametrize("members", [1, 3, 7])
@pytest.mark.parametrize("name", NETWORKS)
def test_after_enough_steps_every_neuron_has_sent_its_activation_rounded_to_quanta(
    name: str, members: int
) -> None:
    network, drive, recording = run(name, Calibrated(members=members, quanta=15), 400 if members == 1 else 80)
    assert recording.train_values is not None
    found = potentials(network, drive, recording)
    for p in network.populations[1:-1]:
        sent = recording.train_values[p.name] * p.unit
        assert np.abs(np.maximum(found[p.name], 0) - sent).max() <= p.unit / 2
    np.testing.assert_allclose(recording.scores[:, -1], found[network.populations[-1].name], rtol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_what_was_sent_is_never_negative_at_any_step(name: str) -> None:
    _, _, recording = run(name, Calibrated(), 12)
    assert recording.raster is not None
    taken_back = False
    for raster in recording.raster.values():
        assert np.cumsum(raster, axis=1, dtype=np.int64).min() >= 0
        taken_back = taken_back or bool((raster < 0).any())
    assert taken_back or len(recording.raster) == 1


@pytest.mark.parametrize("members", [1, 2, 5, 7])
def test_spikes_are_powers_of_two_up_to_the_largest_member_and_count_once(members: int) -> None:
    _, _, recording = run("residual_plain", Calibrated(members=members), 12)
    assert recording.raster is not None
    sizes = {2**k for k in range(members)}
    for name, raster in recording.raster.items():
        assert set(np.unique(np.abs(raster))) <= {0, *sizes}
        assert np.array_equal(recording.spike_counts[name], (raster != 0).sum(axis=1))


def test_a_first_step_gets_within_a_third_of_what_is_owed() -> None:
    network, drive, recording = run("dense", Calibrated(quanta=63), 1)
    assert recording.train_values is not None
    found = np.maximum(potentials(network, drive, recording)["relu_2"], 0) / network.populations[1].unit
    sent = recording.train_values["relu_2"]
    owed = found >= 1
    assert (np.abs(sent - found)[owed] <= found[owed] / 3 + 1e-6).all()


def test_shorter_runs_are_the_beginning_of_longer_ones_where_nothing_is_fitted_to_them() -> None:
    short, long = (run("residual_relu", Calibrated(), t)[2] for t in (MAX_FITTED + 1, 9))
    assert np.array_equal(short.scores, long.scores[:, : MAX_FITTED + 1])


def one_by_one(owed: float, quanta: int, members: int, clipped: bool) -> Iterator[int]:
    """Yield what a group sends that has been brought `owed` quanta in its first step and nothing after it."""
    said = 0
    while True:
        left = min(max(owed, 0), quanta if clipped else np.inf) - said
        sizes = [2**k for k in range(members)]
        reached = [size for size in sizes[1:] if abs(left) >= (0.75 * size if left > 0 else size)]
        size = 0 if abs(left) < 0.5 else max(reached, default=1)
        said += size if left > 0 else -size
        yield size if left > 0 else -size


@pytest.mark.parametrize("clipped", [False, True])
@pytest.mark.parametrize("members", [1, 3, 7])
def test_a_fit_sends_what_the_neurons_send(members: int, clipped: bool) -> None:
    rng = np.random.default_rng(members)
    scale, shift = np.array([0.5, 3.0]), np.array([0.01, -0.2])
    values = rng.normal(0.0, 2.0, (200, 2)).astype(np.float32)
    group = GradedGroup(scale, 16, members, clipped, shift)
    steps = sent(group, values[np.newaxis], 5) / (scale / 16)
    for found, value in zip(steps.reshape(5, -1).T, ((values + shift) / (scale / 16)).ravel(), strict=True):
        assert list(np.rint(found)) == list(islice(one_by_one(value, 16, members, clipped), 5))


def test_later_currents_correct_what_was_sent() -> None:
    group = GradedGroup(np.ones(1), 8, 4, False, np.zeros(1))
    currents = np.array([1.0, -0.5, 0.0], np.float32).reshape(3, 1, 1)
    assert (sent(group, currents, 5).ravel() * 8).tolist() == [8, -4, 0, 0, 0]


@pytest.mark.parametrize("steps", [1, 2])
def test_few_steps_are_nearer_to_the_model_than_without_a_fit(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def error(limit: int) -> float:
        monkeypatch.setattr("kgenn.conversion.calibrated.MAX_FITTED", limit)
        graph = build("residual_relu")
        x = samples(graph, 128)
        recipe = recipe_of(Calibrated(), None, ALLOW)
        network = convert_graph(graph, recipe, x[:64], steps, on_reference).network
        model = np.asarray(graph.predict(x[64:]))
        found = next(iter(on_reference(network, x[64:], RecordingOptions()))).scores[:, -1]
        return float(1 - np.corrcoef(model.ravel(), found.ravel().astype(float))[0, 1])

    assert error(MAX_FITTED) < 0.8 * error(0)


def test_a_fit_keeps_to_caps_and_to_one_share_for_a_layer() -> None:
    wanted = np.random.default_rng(1).uniform(0, 1.2, (500, 3)).astype(np.float32)
    node, scales = Node("relu", ReLU(max_value=1.0)), np.array([0.6, 0.8, 1.0])
    capped = fit(node, wanted[np.newaxis], np.minimum(wanted, 1), 2, group_of(node, scales, 3, 127, 7), True)
    assert capped.scale.max() <= 1
    node = Node("relu", ReLU())
    for first in (scales, np.array(0.8)):
        layer = fit(node, wanted[np.newaxis], wanted, 2, group_of(node, first, 3, 127, 7), False)
        assert len(set(np.round(layer.scale / first, 6))) == 1


def test_more_quanta_come_closer_to_the_model() -> None:
    graph = build("residual_relu")
    errors = []
    for quanta in (3, 15, 63):
        network, drive, recording = run("residual_relu", Calibrated(quanta=quanta), 60)
        x = (drive / network.inputs[0].coding.levels).reshape(-1, *network.input_shape).astype(np.float32)
        readout = network.populations[-1]
        scores = recording.scores[:, -1] / (readout.unit * network.levels) * float(readout.scale)
        errors.append(float(np.abs(scores - graph.predict(x)).mean()))
    assert errors[0] > errors[1] > errors[2]


@pytest.mark.parametrize("unit", [16, 1 << 18, 1 << 24, 1 << 40])
@pytest.mark.parametrize("quanta", [1, 127, 1 << 16])
def test_without_a_cap_nothing_is_clipped_on_any_grid(unit: int, quanta: int) -> None:
    node = Node("relu", ReLU(), ("input",), "relu (ReLU)")
    params = Calibrated(quanta=quanta).dynamics(node, unit, 8).params
    assert params["v_most"] >= 8 * quanta * unit
    assert params["v_most"] == np.float32(params["v_most"])


@pytest.mark.parametrize("options", [{"quanta": 0}, {"quanta": 1 << 20}, {"members": 0}, {"members": 8}])
def test_options_out_of_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(KgennError, match="KG401"):
        Calibrated(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [2.0**-100, 2.0**100])
def test_a_fit_is_the_same_for_the_smallest_and_the_largest_values(size: float) -> None:
    wanted = np.random.default_rng(2).exponential(1, (400, 2)).astype(np.float32)
    scale, node = np.array([0.9, 1.7]), Node("relu", ReLU())
    found = fit(node, wanted[np.newaxis], wanted, 2, group_of(node, scale, 2, 127, 7), True)
    there = wanted * np.float32(size)
    scaled = fit(node, there[np.newaxis], there, 2, group_of(node, scale * size, 2, 127, 7), True)
    for name in ("scale", "shift"):
        assert np.array_equal(getattr(scaled, name), getattr(found, name) * size)
