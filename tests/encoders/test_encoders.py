"""Encoders: how many spikes an input gives, and which inputs are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgenn.backends.population_run import PopulationRun
from kgenn.diagnostics import KgennError
from kgenn.encoders import ENCODERS
from kgenn.encoders.base import Encoder
from kgenn.encoders.direct import Direct
from kgenn.encoders.integrate_fire import IntegrateFire
from kgenn.encoders.poisson import Poisson, PoissonSigned
from kgenn.encoders.spike import Spike
from kgenn.ir.graph import Array
from networks import lone

pytestmark = pytest.mark.quick


def spikes_of(encoder: Encoder, x: Array, steps: int, first_sample: int = 0) -> Array:
    """Return the spikes of each input, shape (N, steps, inputs)."""
    coding = encoder.coding(x, 16)
    population = encoder.population("input", x.shape[1:], 16)
    network = lone(population, coding, steps, seed=5)
    run = PopulationRun(network, population, network.drive(x), first_sample)
    return np.stack([run.step(run.constant, t) for t in range(steps)], axis=1)


@given(st.integers(0, 255), st.integers(1, 300), st.sampled_from([0.0, 0.25, 0.5]))
def test_an_if_encoder_gives_floor_of_potential_plus_t_times_x(pixel: int, steps: int, potential: float) -> None:
    x = np.array([[pixel / 255]], np.float32)
    spikes = spikes_of(IntegrateFire(input_potential=potential), x, steps)[0, :, 0]
    # the encoder's x is the nearest of its levels
    level = int(np.rint(x[0, 0] * np.float32(1 << 20)))
    start = round(potential * (1 << 20))
    expected = [(start + t * level) // (1 << 20) for t in range(1, steps + 1)]
    assert np.cumsum(spikes).tolist() == expected


def test_an_if_encoder_fires_never_at_zero_and_always_at_one() -> None:
    spikes = spikes_of(IntegrateFire(), np.array([[0.0, 1.0]], np.float32), 50)
    assert spikes[..., 0].sum() == 0
    assert spikes[..., 1].sum() == 50


@pytest.mark.parametrize("signed", [False, True])
def test_a_poisson_encoder_fires_with_probability_x(signed: bool) -> None:
    x = np.linspace(-1 if signed else 0, 1, 21, dtype=np.float32)[None].repeat(50, 0)
    spikes = spikes_of(Poisson(signed=signed), x, 200)
    rates = spikes.mean(axis=(0, 1))
    deviation = np.sqrt(np.abs(x[0]) * (1 - np.abs(x[0])) / 10_000)
    assert (np.abs(rates - x[0]) <= 4.5 * deviation).all()
    assert set(np.unique(spikes)) == ({-1, 0, 1} if signed else {0, 1})


def test_poisson_trains_of_samples_neurons_and_steps_differ() -> None:
    spikes = spikes_of(Poisson(), np.full((6, 5), 0.5, np.float32), 64)
    trains = spikes.transpose(0, 2, 1).reshape(30, -1)
    assert len({train.tobytes() for train in trains}) == 30


def test_spikes_of_a_sample_depend_on_its_number_alone() -> None:
    x = np.random.default_rng(3).random((6, 5)).astype(np.float32)
    whole = spikes_of(Poisson(), x, 30, first_sample=100)
    assert np.array_equal(whole[2:], spikes_of(Poisson(), x[2:], 30, first_sample=102))


def test_a_spike_encoder_repeats_its_input_at_every_step() -> None:
    x = np.array([[0.0, 1.0, 1.0]], np.float32)
    assert np.array_equal(spikes_of(Spike(), x, 4), np.repeat(x[:, None], 4, axis=1))


@pytest.mark.parametrize("grey", [0.5, 1e-6, 2.0, -1.0, np.nan])
def test_a_spike_encoder_refuses_grey_values(grey: float) -> None:
    with pytest.raises(KgennError, match=r"KG603.*takes 0 or 1"):
        spikes_of(Spike(), np.array([[0.0, grey]], np.float32), 2)


def test_binarising_takes_any_value() -> None:
    x = np.array([[-3.0, 0.3, 0.30001, 7.0]], np.float32)
    assert spikes_of(Spike(binarise=0.3), x, 1)[0, 0].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("encoder", "low", "high"),
    [(IntegrateFire(), 0.0, 1.0), (Poisson(), 0.0, 1.0), (PoissonSigned(), -1.0, 1.0)],
)
@pytest.mark.parametrize("outside", [1e-6, 1.0, np.nan, np.inf])
def test_inputs_outside_the_range_are_refused(encoder: Encoder, low: float, high: float, outside: float) -> None:
    inside = np.array([[low, high]], np.float32)
    spikes_of(encoder, inside, 1)
    for x in (low - outside, high + outside):
        with pytest.raises(KgennError, match="KG603"):
            spikes_of(encoder, np.array([[x, 0.5]], np.float32), 1)


@pytest.mark.parametrize("potential", [-0.1, 1.0])
def test_an_initial_potential_lies_between_rest_and_threshold(potential: float) -> None:
    with pytest.raises(KgennError, match="KG401"):
        IntegrateFire(input_potential=potential)


@given(st.floats(1e-3, 1e6), st.floats(-1e6, -1e-3))
def test_a_direct_encoder_takes_the_range_of_the_calibration_data(high: float, low: float) -> None:
    x = np.array([[low, 0, high]], np.float32)
    coding = Direct().coding(x, 16)
    assert coding.low <= low or np.isclose(coding.low, low)
    assert coding.high >= 1
    drive = coding.drive(x)
    assert np.abs(drive).max() <= 1 << 30
    assert np.log2(coding.levels) % 1 == 0
    np.testing.assert_allclose(drive / coding.levels, x, atol=0.5 / coding.levels)


def test_a_direct_encoder_does_not_spike() -> None:
    assert not Direct.neuron.threshold
    assert Direct().coding(np.zeros((1, 2)), 16).analog


def test_every_encoder_has_its_name() -> None:
    for name in ENCODERS.names():
        assert ENCODERS.get(name).name == name
        assert ENCODERS.get(name)().coding(np.zeros((1, 2)), 16).encoder == name
