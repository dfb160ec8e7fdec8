"""Choose a single grid on which each channel of a population has a granule of its own.

The weights, the bias and so the currents of channel c are multiples of a granule g_c, a power of two that divides
the unit u. In granules they are what they would be on a single grid with the unit u/g_c: weights of 16 bits, and
sums below 2**24, which float32 adds up exactly in any order. The threshold is u for all channels.

A channel with large weights gets a large granule, and does not decide for its neighbours. u is the largest power
of two allowed, since the granules make up for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kgenn.conversion.inflow import SMALLEST_UNIT, Inflow
from kgenn.ir.connectivity import Connectivity, Convolution, Sparse
from kgenn.ir.graph import Array
from kgenn.ir.network import EXACT, Connection

# Sums stay far below 2**31, so that 32-bit integers hold them too.
LARGEST_SUM = 1 << 30


def unit_with_granules(
    inflow: Inflow, connections: Sequence[Connection], largest: int, fewest: int
) -> tuple[int, Array] | None:
    """Return u and the granule of each neuron, shape (size,).

    Args:
        connections: those of the inflow whose weights take at most `largest` granules.
        fewest: granules of a threshold.

    Returns:
        None where there is no such grid: behind an analog input, or if weights differ too much.
    """
    unit = _unit(inflow)
    if unit is None:
        return None
    granule = _granules(inflow, _exact(inflow, unit), connections, unit / largest)
    return None if granule.max(initial=1.0) * fewest > unit else (unit, granule)


def by_channel(inflow: Inflow, values: Array) -> Array:
    """Return for each neuron the mean of a value over its channel, shape (size,)."""
    channels = _num_channels(inflow.connections, values.size)
    means = values.reshape(-1, channels).mean(axis=0)
    return np.tile(means, values.size // channels)


def _unit(inflow: Inflow) -> int | None:
    """Return the largest power of two that u can be, or None behind an analog input or where it is too small."""
    if not inflow.spiking or any(source.analog for source in inflow.sources):
        return None
    reach = float(inflow.reaches(inflow.connections, inflow.bias).max(initial=0.0))
    largest = min(inflow.largest_unit, LARGEST_SUM / max(reach, 1.0))
    return None if largest < SMALLEST_UNIT else 1 << int(np.log2(largest))


def _exact(inflow: Inflow, unit: int) -> Array:
    """Return what the granule of each neuron must be at least, for sums that float32 holds."""
    reach = inflow.reaches(inflow.connections, inflow.bias)
    # rounding adds up to half a granule to each weight
    needed: Array = np.maximum(reach * unit / (EXACT - inflow.fan_in.max(initial=0.0) - 1), 1.0)
    return needed


def _granules(inflow: Inflow, needed: Array, connections: Sequence[Connection], share: float) -> Array:
    """Return the smallest granule of each neuron, shape (size,), the same for all neurons of a channel.

    Args:
        needed: at least, by neuron.
        connections: whose largest weight of a channel needs `share` of itself.
    """
    for connection in connections:
        largest = _largest_weights(connection.connectivity)
        needed = np.maximum(needed.reshape(-1, len(largest)), largest * share).ravel()
    channels = _num_channels(inflow.connections, needed.size)
    needed = np.broadcast_to(needed.reshape(-1, channels).max(axis=0), (needed.size // channels, channels))
    granule: Array = np.exp2(np.ceil(np.log2(needed.ravel())))
    return granule


def _largest_weights(kind: Connectivity) -> Array:
    """Return the largest |weight| of each channel or neuron, the last axis of the targets."""
    weights = np.abs(kind.weights)
    if isinstance(kind, Sparse):
        largest = np.zeros(kind.num_targets)
        np.maximum.at(largest, kind.indices, weights)
        return largest
    return np.asarray(weights.reshape(-1, weights.shape[-1]).max(axis=0, initial=0.0))


def _num_channels(connections: Sequence[Connection], size: int) -> int:
    """Return how many neighbouring neurons have weights of their own: all where no connection is a convolution."""
    kinds = (c.connectivity for c in connections)
    return next((kind.out_shape[2] for kind in kinds if isinstance(kind, Convolution)), size)
