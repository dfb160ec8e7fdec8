"""Calibrated: sums of signed, graded spikes settle at the rounded activation, and never fall below zero."""

from __future__ import annotations

import numpy as np
import pytest

from kgenn.backends.reference import ReferenceSimulator
from kgenn.conversion.calibrated import Calibrated
from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Array, Node
from kgenn.ir.network import Network
from kgenn.ir.recording import Recording
from kgenn.layers.activation import ReLU
from networks import build
from recordings import EVERYTHING, converted, drive_of

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


def test_shorter_runs_are_the_beginning_of_longer_ones() -> None:
    short, long = (run("residual_relu", Calibrated(), t)[2] for t in (3, 9))
    assert np.array_equal(short.scores, long.scores[:, :3])


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
