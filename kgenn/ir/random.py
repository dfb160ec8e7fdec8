"""Random numbers without a generator's state: a hash of (seed, sample, neuron, timestep).

Every target computes the same 32-bit unsigned arithmetic, so batch size, threads and device change nothing.
The mixing function is the two-round 32-bit integer hash "lowbias32" of C. Wellons' hash-prospector (2018,
public domain; exact avalanche bias 0.17).
"""

from __future__ import annotations

import numpy as np

from kgenn.ir.graph import Array

# Separates the hash of timesteps from those of samples and neurons; any odd constant does (2**32 / golden ratio).
TIME_SALT = 0x9E3779B9
# Seeds are hashed as 32-bit integers.
LARGEST_SEED = 2**32 - 1


def mix(x: Array) -> Array:
    """Hash 32-bit unsigned integers one by one; a bijection."""
    x = np.asarray(x, np.uint32)
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
        x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    mixed: Array = x ^ (x >> np.uint32(16))
    return mixed


def neuron_keys(seed: int, samples: Array, num_neurons: int, first: int = 0) -> Array:
    """Return the key of every neuron in every sample, shape (len(samples), num_neurons), uint32.

    Args:
        first: the number of the first neuron: input neurons are numbered through all inputs, so that no two of
            them have one key.
    """
    with np.errstate(over="ignore"):
        sample_keys = mix(mix(np.array([seed & 0xFFFFFFFF], np.uint32)) + samples.astype(np.uint32))
        return mix(sample_keys[:, None] + np.arange(first, first + num_neurons, dtype=np.uint32))


def random24(keys: Array, timestep: int) -> Array:
    """Return a uniform integer in [0, 2**24) for each neuron key at a timestep."""
    time_key = mix(np.array([(timestep ^ TIME_SALT) & 0xFFFFFFFF], np.uint32))
    top: Array = mix(keys ^ time_key) >> np.uint32(8)
    return top
