"""Round a population's weights to integers, such that every sum of synaptic currents is exact.

With u the integer that stands for 1 (the threshold), a weight w becomes rint(w·u). Three grids are tried:

| grid | Σ over all that can reach one neuron | u | weights |
|---|---|---|---|
| single | in a step below 2**24, exact in float32 and int32 | the largest even integer up to a limit | 16 bits |
| by channel | in a step below 2**24 granules, exact in float32 | the largest power of two | 16 bits, in granules |
| double | in a stage below 2**52, exact in float64 | the smallest sufficient power of two | 24 bits |

The weights of convolutions and dense layers on the first two stay below 2**15 where they carry spikes, so that
simulators can multiply integers of 16 bits. The next grid is tried where one would round weights more coarsely
than the code rounds activations; see `kgenn.conversion.precision`. A single neuron with large weights can make it
so; it needs a granule of its own (`kgenn.conversion.channel_grid`). Behind a wide pool, or with a large K, each
weight is small and there are many, which takes a double grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kgenn.conversion.channel_grid import unit_with_granules
from kgenn.conversion.inflow import (
    LARGEST_WEIGHT,
    SMALLEST_UNIT,
    Gridded,
    Inflow,
    as_float32,
    fan_in_of,
    magnitude_of,
    meets_products,
)
from kgenn.conversion.precision import FINE, TOLERABLE
from kgenn.diagnostics import fail
from kgenn.ir.graph import Array
from kgenn.ir.network import EXACT, Connection

# A spiking population's v stays exact too up to 64 thresholds; finer weights would change nothing.
LARGEST_UNIT = 1 << 18
# The readout integrates without a threshold, so that only the sum of one step limits its grid.
LARGEST_READOUT_UNIT = 1 << 23
# Finer grids than this change nothing: float32 holds 24 bits of a weight.
LARGEST_DOUBLE_UNIT = 1 << 40
# Integers below 2**53 are exact in float64, and so are sums of them; half of it is kept in reserve.
ROOM = 1 << 52
# The granule of weights that are any integers.
ONE = np.ones(())


def to_grid(inflow: Inflow) -> Gridded:
    """Choose u for a population and round its weights and bias.

    Raises:
        KgennError: KG404 where no useful grid exists.
    """
    reach = inflow.reach(inflow.connections, inflow.bias)
    if not np.isfinite(reach):
        what = f"the weights into one neuron sum up to {reach} thresholds"
        raise fail("KG404", inflow.name, what, "check the model: its weights are too large to compute with")
    single = _single(inflow, reach)
    if single is not None and inflow.coarseness(single) <= TOLERABLE:
        return single.compared(inflow)
    granular = _by_channel(inflow)
    if granular is not None and inflow.coarseness(granular) <= TOLERABLE:
        return granular.compared(inflow)
    double = _double(inflow, 1 if single is None else single.unit)
    if double is not None:
        return double.compared(inflow)
    what = f"the weights into one neuron sum up to {reach:.3g} thresholds, too much for a grid of 53 bits"
    advice = "check this layer's weights, and that the calibration data are what the model was trained on"
    raise fail("KG404", inflow.name, what, advice)


def _single(inflow: Inflow, reach: float) -> Gridded | None:
    """Return the finest grid on which float32 is exact, or None where there is no useful one."""
    spiking = [c for c, source in zip(inflow.connections, inflow.sources, strict=True) if not source.analog]
    largest = narrowed(inflow.largest_unit, spiking)
    unit = min(largest, int((EXACT - 1) / max(reach, 1e-30)))
    while unit >= SMALLEST_UNIT:
        unit -= unit % 2
        grid = on_single(inflow, unit)
        if grid is not None:
            return grid
        unit = int(unit * 0.999) - 1
    return None


def _by_channel(inflow: Inflow) -> Gridded | None:
    """Return the grid on which each channel has a granule, or None where there is none."""
    products = [c for c in inflow.connections if meets_products(c)]
    found = unit_with_granules(inflow, products, LARGEST_WEIGHT, SMALLEST_UNIT)
    return None if found is None else on_single(inflow, found[0], granule=found[1])


def on_single(inflow: Inflow, unit: int, largest: int | None = None, granule: Array = ONE) -> Gridded | None:
    """Return the single grid of a unit, or None where float32 is not exact on it.

    Args:
        largest: the largest |weight| that spikes cross, in granules; larger ones are clipped.
        granule: that all weights into a neuron and its bias are multiples of; shape () or (size,).
    """
    rounded = tuple(
        _rounded(c, unit, granule, None if source.analog else largest)
        for c, source in zip(inflow.connections, inflow.sources, strict=True)
    )
    bias = None if inflow.bias is None else np.rint(inflow.bias * (unit / granule)) * granule
    # one more for the rounding of each direct current
    if (inflow.reaches(rounded, bias) + len(rounded) >= EXACT * granule).any():
        return None
    return Gridded(unit, as_float32(rounded), None if bias is None else bias.astype(np.float32), granule=granule)


def _double(inflow: Inflow, start: int) -> Gridded | None:
    """Return the coarsest grid that is fine enough of those on which float64 is exact, or the finest; or None.

    u is a power of two, so that thresholds are exact in float32, as parameters of neurons are.
    """
    unit, best = max(SMALLEST_UNIT, 1 << (start - 1).bit_length()), None
    largest = largest_double(inflow)
    largest_power = 1 << max(0, largest.bit_length() - 1)
    while unit <= largest:
        best = on_double(inflow, unit)
        error = inflow.coarseness(best)
        if error <= FINE:
            break
        unit = max(2 * unit, min(unit << _doublings(error), largest_power))
    return best


def _doublings(error: float) -> int:
    """Return how often u can be doubled and surely remain too coarse: ε falls as u grows, up to chance."""
    return max(1, int(np.log2(error / FINE)) - 1)


def largest_double(inflow: Inflow) -> int:
    """Return the largest u for which what a stage adds up, with v and its threshold, is exact in float64."""
    spikes = [(c, s) for c, s in zip(inflow.connections, inflow.sources, strict=True) if not s.analog]
    accumulated = np.max(magnitude_of([c for c, _ in spikes], None, [s for _, s in spikes]), initial=0.0)
    reach = inflow.reach(inflow.connections, inflow.bias) + (float(accumulated) + 1) * inflow.stage
    # rounding adds up to half to the magnitude of each weight
    fan_in = sum(float(np.max(fan_in_of(c), initial=0.0)) * s.amplitude for c, s in spikes) * inflow.stage
    return min(LARGEST_DOUBLE_UNIT, int((ROOM - fan_in) / reach))


def on_double(inflow: Inflow, unit: int, largest: int | None = None) -> Gridded:
    """Return the double grid of a unit, for weights as of `on_single`.

    A direct current is a sum of weights times drives, `drive_levels` of them in 1. It is exact where all weights
    are multiples of a power of two, and the sum is below 2**52 of these.
    """
    rounded = []
    for connection, source in zip(inflow.connections, inflow.sources, strict=True):
        granule = ONE
        if source.analog:
            widest = float(np.max(connection.magnitude(), initial=0.0)) * source.amplitude
            excess = widest * unit * source.drive_levels / ROOM
            granule = np.asarray(np.exp2(np.ceil(np.log2(max(excess, 1.0)))))
        rounded.append(_rounded(connection, unit, granule, None if source.analog else largest))
    bias = None if inflow.bias is None else np.rint(inflow.bias * unit)
    return Gridded(unit, as_float32(rounded), bias, double=True)


def narrowed(unit: int, connections: Sequence[Connection]) -> int:
    """Return the largest unit, up to `unit`, for which products have weights of 16 bits.

    Where that is less than `unit` it is a power of two, as `unit` is: then w/u is exact in float32, which is how
    other tools read weights.

    Args:
        connections: that carry spikes, with weights in thresholds.
    """
    for connection in connections:
        if meets_products(connection):
            weights = connection.connectivity.weights
            finest = LARGEST_WEIGHT / max(float(np.abs(weights).max(initial=0.0)), 1e-3)
            unit = min(unit, 1 << max(0, int(np.log2(max(finest, 1.0)))))
    return unit


def _rounded(connection: Connection, unit: int, granule: Array, largest: int | None) -> Connection:
    """Return a connection with weights w·u, in whole granules, at most `largest`, that float32 holds."""
    old = connection.connectivity
    granules = granule if granule.ndim == 0 else old.by_target(granule)
    weights = old.weights * (unit / granules)
    np.rint(weights, out=weights)
    if largest is not None:
        np.clip(weights, -largest, largest, out=weights)
    weights *= granules
    if np.abs(weights).max(initial=0.0) >= EXACT:
        weights = weights.astype(np.float32).astype(np.float64)
    return replace(connection, connectivity=old.with_weights(weights))
