"""Give the weights that spikes cross few bits, on the unit that changes a population's currents least.

b bits hold |q| ≤ L = 2**(b - 1) - 1. With weights ŵ in thresholds, biases b̂ and the unit u::

    q = clip(rint(ŵ·u), -L, L)        δ = q/u - ŵ        β = rint(b̂·u)/u - b̂

δ and β add the error ε² of `kgenn.conversion.precision` to a neuron's current, whose first term is then
(Σ A·δ·E[n] + n·β)², with n the number of times that the bias flows in a train. With S² = Σ A²·ŵ²·E[n²], which is
what the sources bring the neuron, u has the least mean over the neurons of::

    min(1, ε² / (ε_code² + S²))

The search starts at L / max|ŵ|, where no weight is clipped, and goes upward: a larger u rounds finer and clips
more. No neuron counts for more than one that is lost, so that one with far larger weights does not decide for its
neighbours.

With a grid for each channel, u is a power of two, and so is the granule of each channel: its weights are multiples
of it, and |q| ≤ L counts granules. A channel's granule is the smallest that clips none of its weights, or half of
that, whichever has less error. (Quarters and eighths made a ResNet of 4 and 5 bits worse.) One grid for the layer
stays where it has less error.

With `"auto"`, b is the smallest for which no neuron has ε > ε_code/4 on either grid. Where not even 16 bits
suffice, the grid is the one without this option. There n and the levels of the code are those of the T asked for,
up to `RATE_LEVELS`.

A grid that needs no more bits anyway stays as it is. Weights of an analog input meet no spike, and keep as many
bits as u asks for. The digits of max poolings are exact, and no part of this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kgenn.conversion.channel_grid import by_channel, unit_with_granules
from kgenn.conversion.grid import largest_double, on_double, on_single, to_grid
from kgenn.conversion.inflow import LARGEST_WEIGHT, Gridded, Inflow
from kgenn.conversion.precision import FINE
from kgenn.ir.graph import Array
from kgenn.passes.options import MAX_BITS, MIN_BITS

WeightBits = int | Literal["auto"] | None
# Factors by which a channel's granule may fall below what clips no weight.
FINER = (1, 2)
# Ratio of one unit that is tried to the next, and of the last to the first.
STEP, MAX_STEPS = 2 ** (1 / 8), 80
# The error falls with u and then rises, up to chance: this many times the least is past it.
PAST = 4.0


def to_grid_of_bits(inflow: Inflow, bits: WeightBits, share: float, channels: bool = False) -> Gridded:
    """Return a population's connections and bias on its grid, with weights of so many bits.

    Args:
        channels: each channel may have a grid of its own.
        share: of the train that the sources of the inflow speak of, what is sent in the T asked for.

    Raises:
        KgennError: KG404 where no useful grid exists.
    """
    usual = to_grid(inflow)
    if bits is None:
        return usual
    if bits == "auto":
        return _fewest(inflow.over(share), usual, channels).compared(inflow)
    return _of_bits(inflow, bits, usual, channels)[0].compared(inflow)


def _fewest(inflow: Inflow, usual: Gridded, channels: bool) -> Gridded:
    """Return the grid of the fewest bits that is fine, or the usual one; the error falls as bits are added."""
    best, too_few, enough = usual, MIN_BITS - 1, MAX_BITS + 1
    while enough - too_few > 1:
        # most bits first: where they are too few, nothing else needs to be tried
        bits = MAX_BITS if enough > MAX_BITS else (too_few + enough) // 2
        grid = next((grid for grid in _of_bits(inflow, bits, usual, channels) if _fine(inflow, grid)), None)
        if grid is not None:
            best, enough = grid, bits
        elif bits == MAX_BITS:
            return usual
        else:
            too_few = bits
    return best


def _of_bits(inflow: Inflow, bits: int, usual: Gridded, channels: bool) -> tuple[Gridded, ...]:
    """Return the grids of so many bits, the one that changes currents least in the mean first."""
    largest = min(2 ** (bits - 1) - 1, LARGEST_WEIGHT)
    if _largest(inflow, usual) <= largest:
        return (usual,)
    own = _by_channel(inflow, largest) if channels else None
    layer = _of_layer(inflow, largest)
    if own is None:
        return (layer,)
    return (layer, own) if _mean_error(inflow, layer) <= _mean_error(inflow, own) else (own, layer)


def _by_channel(inflow: Inflow, largest: int) -> Gridded | None:
    """Return the grid on which each channel has a granule, or None where there is none."""
    # a neuron starts at half its threshold
    found = unit_with_granules(inflow, inflow.connections, largest, fewest=2)
    if found is None:
        return None
    unit, coarsest = found
    granule, least = coarsest, np.full(coarsest.shape, np.inf)
    for finer in FINER:
        tried = np.maximum(coarsest / finer, 1.0)
        grid = on_single(inflow, unit, largest, tried)
        if grid is not None:
            error = by_channel(inflow, _errors(inflow, grid))
            granule, least = np.where(error < least, tried, granule), np.minimum(error, least)
    # what all granules share is no part of the weights
    common = int(granule.min(initial=unit))
    return on_single(inflow, unit // common, largest, granule / common)


def _of_layer(inflow: Inflow, largest: int) -> Gridded:
    """Return the grid of one unit for all channels; a double one where sums need it."""
    first = largest / _largest(inflow)
    units = _even(first, inflow.largest_unit)
    single = _search(inflow, units, lambda unit: on_single(inflow, unit, largest))
    if single.grid is not None and single.ended:
        return single.grid
    powers = _powers(first, largest_double(inflow))
    double = _search(inflow, powers, lambda unit: on_double(inflow, unit, largest))
    assert double.grid is not None, "the usual grid has a larger unit"
    return double.grid if single.grid is None or double.error < single.error / 2 else single.grid


@dataclass(frozen=True, eq=False)
class _Found:
    """The outcome of a search over units.

    Attributes:
        grid: of the least error; None where not even the first is exact.
        error: its mean over the neurons.
        ended: the search did not stop at a unit on which sums are not exact.
    """

    grid: Gridded | None
    error: float
    ended: bool


def _search(inflow: Inflow, units: Iterator[int], on_grid: Callable[[int], Gridded | None]) -> _Found:
    best, least = None, np.inf
    for unit in units:
        grid = on_grid(unit)
        if grid is None:
            return _Found(best, least, ended=False)
        error = _mean_error(inflow, grid)
        if best is None or error < least:
            best, least = grid, error
        elif error > PAST * least:
            break
    return _Found(best, least, ended=True)


def _errors(inflow: Inflow, grid: Gridded) -> Array:
    """Return the error of each neuron, 1 for one that is lost; shape (size,) or ()."""
    error = inflow.error(grid)
    against = np.maximum(inflow.code_error + inflow.power, np.finfo(np.float64).tiny)
    errors: Array = error / np.maximum(against, error)
    return errors


def _mean_error(inflow: Inflow, grid: Gridded) -> float:
    return float(np.mean(_errors(inflow, grid)))


def _even(first: float, largest: int) -> Iterator[int]:
    """Yield even units up to the most, from just below the first; none where the first is more than the most."""
    if first <= largest:
        units = (int(max(first, 2.0) * STEP**step) // 2 * 2 for step in range(MAX_STEPS + 1))
        yield from dict.fromkeys(unit for unit in units if unit <= largest)


def _powers(first: float, largest: int) -> Iterator[int]:
    """Yield powers of two from below the first, or from 2, up to the most."""
    first = max(first, 2.0)
    unit = 1 << int(np.log2(first))
    while unit <= largest and unit <= first * STEP**MAX_STEPS:
        yield unit
        unit *= 2


def _fine(inflow: Inflow, grid: Gridded) -> bool:
    """Tell whether a grid adds little to what the code rounds; not where a neuron hears nothing but its bias."""
    error, code = inflow.error(grid), inflow.code_error
    return bool((error <= FINE**2 * code).all())


def _largest(inflow: Inflow, grid: Gridded | None = None) -> float:
    """Return the largest |weight| that spikes cross: in thresholds, or of a grid."""
    held = inflow.connections if grid is None else grid.connections
    spiking = (c for c, source in zip(held, inflow.sources, strict=True) if not source.analog)
    return max((float(np.abs(c.connectivity.weights).max(initial=0.0)) for c in spiking), default=0.0)
