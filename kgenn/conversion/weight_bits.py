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

With `"auto"`, b is the smallest for which no neuron has ε > ε_code/4. Where not even 16 bits suffice, the grid is
the one without this option. There n and the levels of the code are those of the T asked for, up to `RATE_LEVELS`.

A grid that needs no more bits anyway stays as it is. Weights of an analog input meet no spike, and keep as many
bits as u asks for. The digits of max poolings are exact, and no part of this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kgenn.conversion.grid import largest_double, on_double, on_single, to_grid
from kgenn.conversion.inflow import LARGEST_WEIGHT, Gridded, Inflow
from kgenn.conversion.precision import FINE
from kgenn.passes.options import MAX_BITS, MIN_BITS

WeightBits = int | Literal["auto"] | None
# Ratio of one unit that is tried to the next, and of the last to the first.
STEP, MAX_STEPS = 2 ** (1 / 8), 80
# The error falls with u and then rises, up to chance: this many times the least is past it.
PAST = 4.0


def to_grid_of_bits(inflow: Inflow, bits: WeightBits, share: float) -> Gridded:
    """Return a population's connections and bias on its grid, with weights of so many bits.

    Args:
        share: of the train that the sources of the inflow speak of, what is sent in the T asked for.

    Raises:
        KgennError: KG404 where no useful grid exists.
    """
    usual = to_grid(inflow)
    if bits is None:
        return usual
    found = _fewest(inflow.over(share), usual) if bits == "auto" else _of_bits(inflow, bits, usual)
    return found.compared(inflow)


def _fewest(inflow: Inflow, usual: Gridded) -> Gridded:
    """Return the grid of the fewest bits that is fine, or the usual one; the error falls as bits are added."""
    best, too_few, enough = usual, MIN_BITS - 1, MAX_BITS + 1
    while enough - too_few > 1:
        # most bits first: where they are too few, nothing else needs to be tried
        bits = MAX_BITS if enough > MAX_BITS else (too_few + enough) // 2
        grid = _of_bits(inflow, bits, usual)
        if _fine(inflow, grid):
            best, enough = grid, bits
        elif bits == MAX_BITS:
            return usual
        else:
            too_few = bits
    return best


def _of_bits(inflow: Inflow, bits: int, usual: Gridded) -> Gridded:
    """Return the grid of so many bits that changes currents least; a double one where sums need it."""
    largest = min(2 ** (bits - 1) - 1, LARGEST_WEIGHT)
    if _largest(inflow, usual) <= largest:
        return usual
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
    against = np.maximum(inflow.code_error + inflow.power, np.finfo(np.float64).tiny)
    best, least = None, np.inf
    for unit in units:
        grid = on_grid(unit)
        if grid is None:
            return _Found(best, least, ended=False)
        error = float(np.mean(np.minimum(inflow.error(grid) / against, 1.0)))
        if best is None or error < least:
            best, least = grid, error
        elif error > PAST * least:
            break
    return _Found(best, least, ended=True)


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
