"""Spike codes: the weight of a spike at each step, and the full scale."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from kgenn.conversion.data_norm import DataNorm
from kgenn.conversion.few_spike import FewSpike
from kgenn.conversion.time_to_first_spike import TimeToFirstSpike
from kgenn.ir.spike_code import MAX_BINARY_STEPS, SPIKE_CODES

pytestmark = pytest.mark.quick

each_length = pytest.mark.parametrize("steps", [1, 2, 3, 8])


def train_values(code: str, steps: int) -> list[int]:
    """Return the value of every spike train of so many steps."""
    trains = np.array(list(product((0, 1), repeat=steps)))
    found: list[int] = (trains @ SPIKE_CODES[code].weights(steps)).tolist()  # type: ignore[index]
    return found


@each_length
def test_binary_trains_are_the_numbers_up_to_the_full_scale_each_once(steps: int) -> None:
    assert sorted(train_values("binary", steps)) == list(range(FewSpike().levels(steps) + 1))


@each_length
def test_a_rate_is_a_count_up_to_the_number_of_steps(steps: int) -> None:
    assert set(train_values("rate", steps)) == set(range(DataNorm().levels(steps) + 1))
    assert set(SPIKE_CODES["rate"].weights(steps).tolist()) == {1}


@each_length
def test_an_earlier_first_spike_has_more_weight_one_by_one(steps: int) -> None:
    assert SPIKE_CODES["latency"].weights(steps).tolist() == list(range(steps, 0, -1))
    assert TimeToFirstSpike().levels(steps) == steps


def test_values_of_the_longest_binary_train_fit_their_type() -> None:
    total = SPIKE_CODES["binary"].weights(MAX_BINARY_STEPS).sum()
    assert total == FewSpike().levels(MAX_BINARY_STEPS) < 2**24


def test_in_stages_a_constant_flows_once() -> None:
    staged = [code for code in SPIKE_CODES.values() if code.schedule == "staged"]
    assert len(staged) == 2
    assert not any(code.steady for code in staged)
