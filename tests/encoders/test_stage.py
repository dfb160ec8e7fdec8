"""The encoders of staged networks: the value of what the input sends is the nearest level, with its sign."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kgenn.backends.population_run import PopulationRun
from kgenn.diagnostics import KgennError
from kgenn.encoders.base import Encoder
from kgenn.encoders.stage import FewSpikeInput, FewSpikeSignedInput, TtfsInput
from kgenn.ir.graph import Array
from kgenn.ir.spike_code import CodeName
from networks import lone

pytestmark = pytest.mark.quick

ENCODERS: tuple[tuple[Encoder, CodeName], ...] = (
    (FewSpikeInput(), "binary"),
    (FewSpikeSignedInput(), "binary"),
    (TtfsInput(), "latency"),
)
each_encoder = pytest.mark.parametrize(("encoder", "code"), ENCODERS, ids=[e.name for e, _ in ENCODERS])
VALUES = arrays(np.float32, (3, 8), elements=st.floats(0, 1, width=32))


def spikes_of(encoder: Encoder, code: CodeName, x: Array, steps: int) -> Array:
    """Return the spikes of each input, shape (N, steps, inputs)."""
    population = encoder.population("input", x.shape[1:], steps)
    network = lone(population, encoder.coding(x, steps), steps, code)
    run = PopulationRun(network, population, network.drive(x), 0)
    return np.stack([run.step(None, t) for t in range(steps)], axis=1).astype(np.int64)


@given(VALUES, st.integers(1, 16), st.booleans())
def test_a_few_spike_input_sends_the_bits_of_the_nearest_number(x: Array, steps: int, signed: bool) -> None:
    encoder = FewSpikeSignedInput() if signed else FewSpikeInput()
    sign = np.where(np.arange(8) % 2, -1, 1) if signed else np.ones(8, np.int64)
    spikes = spikes_of(encoder, "binary", x * sign.astype(np.float32), steps)
    numbers = np.rint(x * np.float32(2**steps - 1)).astype(np.int64)
    for t in range(steps):
        assert np.array_equal(spikes[:, t], sign * (numbers >> (steps - 1 - t) & 1))


@given(VALUES, st.integers(1, 300))
def test_a_ttfs_input_fires_once_and_the_earlier_the_larger(x: Array, steps: int) -> None:
    spikes = spikes_of(TtfsInput(), "latency", x, steps)
    numbers = np.rint(x * np.float32(steps)).astype(np.int64)
    assert np.array_equal(spikes.sum(axis=1), numbers > 0)
    assert np.array_equal((spikes * (steps - np.arange(steps))[:, None]).sum(axis=1), numbers)


@each_encoder
def test_the_ends_of_the_range_are_silence_and_the_full_scale(encoder: Encoder, code: CodeName) -> None:
    spikes = spikes_of(encoder, code, np.array([[0.0, 1.0]], np.float32), 6)[0]
    assert not spikes[:, 0].any()
    assert spikes[:, 1].tolist() == ([1] * 6 if code == "binary" else [1, 0, 0, 0, 0, 0])


@each_encoder
@pytest.mark.parametrize("outside", [1.0001, -1.0001, np.nan, np.inf])
def test_inputs_outside_the_range_are_refused(encoder: Encoder, code: CodeName, outside: float) -> None:
    with pytest.raises(KgennError, match=r"KG603.*to 1, but the data have"):
        spikes_of(encoder, code, np.array([[outside, 0.5]], np.float32), 4)


@pytest.mark.parametrize("encoder", [FewSpikeInput(), TtfsInput()])
def test_unsigned_inputs_are_not_negative(encoder: Encoder) -> None:
    with pytest.raises(KgennError, match="KG603"):
        encoder.coding(np.zeros((1, 2)), 4).drive(np.array([[-0.01, 0.5]], np.float32))
