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

from kgenn.conversion.inflow import LARGEST_WEIGHT, SMALLEST_UNIT, Inflow, meets_products
from kgenn.ir.connectivity import Convolution
from kgenn.ir.graph import Array
from kgenn.ir.network import EXACT, Connection

# Sums stay far below 2**31, so that 32-bit integers hold them too.
LARGEST_SUM = 1 << 30


def unit_with_granules(inflow: Inflow) -> tuple[int, Array] | None:
    """Return u and the granule of each neuron, shape (size,).

    Returns:
        None where there is no such grid: behind an analog input, or if weights differ too much.
    """
    if not inflow.spiking or any(source.analog for source in inflow.sources):
        return None
    reach = inflow.reaches(inflow.connections, inflow.bias)
    largest = min(inflow.largest_unit, LARGEST_SUM / max(float(reach.max(initial=0.0)), 1.0))
    if largest < SMALLEST_UNIT:
        return None
    unit = 1 << int(np.log2(largest))
    granule = _granules(inflow, unit, reach)
    return None if granule.max(initial=1.0) * SMALLEST_UNIT > unit else (unit, granule)


def _granules(inflow: Inflow, unit: int, reach: Array) -> Array:
    """Return the smallest granule of each neuron, shape (size,), the same for all neurons of a channel."""
    # rounding adds up to half a granule to each weight
    needed = np.maximum(reach * unit / (EXACT - inflow.fan_in.max(initial=0.0) - 1), 1.0)
    for connection in inflow.connections:
        if meets_products(connection):
            weights = np.abs(connection.connectivity.weights)
            largest = weights.reshape(-1, weights.shape[-1]).max(axis=0, initial=0.0)
            needed = np.maximum(needed.reshape(-1, len(largest)), largest * unit / LARGEST_WEIGHT).ravel()
    channels = _num_channels(inflow.connections, needed.size)
    needed = np.broadcast_to(needed.reshape(-1, channels).max(axis=0), (needed.size // channels, channels))
    granule: Array = np.exp2(np.ceil(np.log2(needed.ravel())))
    return granule


def _num_channels(connections: Sequence[Connection], size: int) -> int:
    """Return how many neighbouring neurons have weights of their own: all where no connection is a convolution."""
    kinds = (c.connectivity for c in connections)
    return next((kind.out_shape[2] for kind in kinds if isinstance(kind, Convolution)), size)
