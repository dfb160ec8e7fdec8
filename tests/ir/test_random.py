"""The random numbers: the same forever, uniform, and independent of how work is split."""

from __future__ import annotations

import numpy as np
import pytest

from kgenn.ir.random import mix, neuron_keys, random24

pytestmark = pytest.mark.quick

# of seed 0, for samples 0 and 1 and neurons 0 to 2, worked out in Python's integers
KEYS = [[0, 1753845952, 3507691905], [1492470133, 3529208806, 3405767568]]
AT_0 = [[11431808, 14917081, 7284686], [7512296, 9289433, 9600288]]
AT_1000 = [[14353900, 12187341, 6754433], [6132200, 480890, 9418327]]


def test_the_numbers_are_these_forever() -> None:
    keys = neuron_keys(0, np.array([0, 1]), 3)
    assert keys.tolist() == KEYS
    assert random24(keys, 0).tolist() == AT_0
    assert random24(keys, 1000).tolist() == AT_1000


def plain_mix(x: int) -> int:
    """Return the hash as C computes it, in Python's integers."""
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    x = ((x ^ (x >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    return x ^ (x >> 16)


def test_mix_is_the_published_hash_without_collisions() -> None:
    x = np.concatenate([np.arange(1 << 16), np.arange((1 << 32) - (1 << 16), 1 << 32)]).astype(np.uint32)
    hashed = mix(x)
    assert [plain_mix(int(v)) for v in x[::1001]] == hashed[::1001].tolist()
    assert len(np.unique(hashed)) == len(x)


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, -1])
def test_numbers_are_uniform_over_neurons_samples_and_time(seed: int) -> None:
    keys = neuron_keys(seed, np.arange(20), 50)
    values = np.stack([random24(keys, t) for t in range(100)])
    assert values.max() < 1 << 24
    # 100,000 numbers in 16 bins: chi-square of 15 degrees of freedom exceeds 45 once in 14,000
    bins = np.bincount((values >> 20).ravel(), minlength=16)
    expected = values.size / 16
    assert ((bins - expected) ** 2 / expected).sum() < 45
    uniform = values / 2.0**24
    for axis in range(3):
        assert abs(uniform.mean(axis=axis) - 0.5).max() < 5.5 * np.sqrt(1 / 12 / values.shape[axis])


def test_numbers_of_neighbours_are_not_correlated() -> None:
    keys = neuron_keys(7, np.arange(100), 100)
    u = np.stack([random24(keys, t) for t in range(30)]) / 2.0**24 - 0.5
    for axis in range(3):
        neighbours = np.moveaxis(u, axis, 0)
        product = (neighbours[1:] * neighbours[:-1]).mean() * 12
        assert abs(product) < 5 / np.sqrt(u.size)


def test_keys_depend_on_seed_sample_and_neuron_alone() -> None:
    whole = neuron_keys(3, np.arange(10, 20), 8)
    assert np.array_equal(whole[4:7], neuron_keys(3, np.arange(14, 17), 8))
    assert np.array_equal(whole[:, :5], neuron_keys(3, np.arange(10, 20), 5))
    assert not np.array_equal(whole, neuron_keys(4, np.arange(10, 20), 8))
    assert np.array_equal(neuron_keys(-1, np.arange(2), 3), neuron_keys(2**32 - 1, np.arange(2), 3))
