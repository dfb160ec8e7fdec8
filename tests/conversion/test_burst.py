"""Burst neurons: what they owe is sent in one step, up to γ spikes, and nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgenn.backends.reference import PopulationRun, ReferenceSimulator
from kgenn.conversion.burst import MAX_SPIKES, Burst
from kgenn.conversion.data_norm import DataNorm
from kgenn.conversion.neurons import BURST
from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Array
from kgenn.ir.network import Population
from kgenn.ir.network_input import InputCoding
from kgenn.passes import LoweringOptions, lower
from networks import build, lone, samples
from recordings import EVERYTHING, converted, drive_of

pytestmark = pytest.mark.quick

UNIT = 1024


def spikes_of(gamma: int, current: Array, v: float = 0.0) -> Array:
    """Return the spikes that burst neurons fire for integer currents of shape (T, size)."""
    steps, size = current.shape
    population = Population("p", (size,), BURST, {"v_thresh": float(UNIT), "gamma": float(gamma)}, {"v": v})
    network = lone(population, InputCoding("none", 1, 0.0, 1.0), steps)
    run = PopulationRun(network, population, np.zeros((1, size), np.float32), 0)
    return np.stack([run.step(current[t : t + 1].astype(np.float32), t)[0] for t in range(steps)])


@given(st.integers(0, 9999), st.integers(1, MAX_SPIKES))
def test_a_burst_is_what_the_neuron_owes_up_to_gamma(seed: int, gamma: int) -> None:
    rng = np.random.default_rng(seed)
    current = rng.integers(-2 * UNIT, 4 * UNIT, (30, 12))
    owed = np.zeros(12, np.int64)
    for t, sent in enumerate(spikes_of(gamma, current)):
        owed += current[t]
        expected = np.clip(owed // UNIT, 0, gamma)
        assert np.array_equal(sent, expected)
        owed -= UNIT * expected


@given(st.integers(0, 9999), st.integers(2, 40))
def test_gamma_spikes_a_step_carry_activations_of_up_to_gamma_exactly(seed: int, gamma: int) -> None:
    activation = np.random.default_rng(seed).integers(0, gamma * UNIT, 12, endpoint=True)
    sent = np.cumsum(spikes_of(gamma, np.tile(activation, (20, 1)), UNIT / 2), axis=0)
    steps = np.arange(1, 21)[:, None]
    assert np.array_equal(sent, (activation * steps + UNIT // 2) // UNIT)


def test_with_a_gamma_of_one_bursts_are_the_spikes_of_data_norm() -> None:
    burst, plain = (
        converted("residual_relu", "poisson", Burst(gamma=1, scale_factor=1.0)),
        converted("residual_relu", "poisson"),
    )
    drive = drive_of(plain, "poisson")
    one, two = (ReferenceSimulator(n).run(drive, 0, EVERYTHING) for n in (burst, plain))
    assert np.array_equal(one.scores, two.scores)
    assert one.raster is not None
    assert two.raster is not None
    assert all(np.array_equal(one.raster[name], two.raster[name]) for name in two.raster)


def test_bursts_carry_activations_beyond_the_scale_that_single_spikes_lose() -> None:
    counts = {}
    for gamma in (1, 5):
        converter = Burst(gamma=gamma, scale_factor=1.0, percentile=60.0)
        network = converted("conv_valid", "direct", converter, num_timesteps=50)
        recording = ReferenceSimulator(network).run(drive_of(network, "direct"), 0)
        counts[gamma] = recording.spike_counts["relu_2"]
    assert counts[1].max() == 50
    assert 100 < counts[5].max() <= 250
    # activations within the scale are the same either way
    assert np.array_equal(counts[1][counts[5] < 50], counts[5][counts[5] < 50])


@pytest.mark.parametrize("name", ["relu_cap", "relu_relu", "max_pool_cap"])
def test_a_capped_relu_keeps_its_cap(name: str) -> None:
    network = converted(name, "direct", Burst(percentile=100.0))
    recording = ReferenceSimulator(network).run(drive_of(network, "direct"), 0, EVERYTHING)
    assert recording.raster is not None
    for p in network.spiking:
        assert recording.raster[p.name].max() == 1
        assert np.max(p.scale) <= 0.6 * (1 + 1e-6)


@pytest.mark.parametrize("channelwise", [False, True])
def test_scales_are_a_share_of_those_of_data_norm(channelwise: bool) -> None:
    graph = lower(build("bias_conv"), LoweringOptions())
    x = samples(graph, 20)
    plain = DataNorm(channelwise=channelwise).scales(graph, x)
    found = Burst(channelwise=channelwise, scale_factor=0.25).scales(graph, x)
    for name, scale in plain.items():
        np.testing.assert_allclose(found[name], 0.25 * scale)


@pytest.mark.parametrize(
    "options",
    [
        {"gamma": 0},
        {"gamma": 128},
        {"scale_factor": 0.0},
        {"scale_factor": 1.1},
        {"percentile": 0.0},
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(KgennError, match="KG401"):
        Burst(**options)  # type: ignore[arg-type]
