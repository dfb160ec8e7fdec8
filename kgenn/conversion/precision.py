"""How much of the code's precision a grid of integers leaves: the error of rounded weights, beside the code's own.

A spike train says a whole number of levels. With δ the rounding of a weight, n what its source's train says, A
the number of sources that share the weight through a stage of sums, each times its factor, and B the sum of their
squared factors, the rounding of a population's weights adds::

    ε² = (Σ A·δ·E[n])² + Σ A²·δ²·E[n²]

The first term counts what all sources have in common, the second what is each one's own. The code itself rounds
every train to a level, which changes it by 1/12 in the mean square, or by all that it says where that is less: in
the population and in each of its sources::

    ε_code² = 1/12 + Σ B·w²·min(1/12, E[n²])

A direct input counts as a pixel of `PIXEL_LEVELS` levels. A readout rounds nothing itself, and the 1/12 is
missing. A and B are means over the sums of the stage; behind a plain pool both are the window's area. A source
that is always silent has no part in either sum, whatever its weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kgenn.ir.graph import Array
from kgenn.ir.network import Connection

# ε as a share of ε_code: at 1 the grid is as coarse as the code itself, at 1/4 it adds 3 % to ε_code.
TOLERABLE = 1.0
FINE = 0.25
# Levels of an input from 0 to its largest value.
PIXEL_LEVELS = 256


@dataclass(frozen=True)
class SourceSignal:
    """What a connection's source sends.

    Attributes:
        amplitude: the largest |value| of a step.
        mean, rms: mean and root mean square of the whole train, in levels; of shape (), or (channels,).
        analog: it injects a constant current.
        step: what its values are rounded to, in levels.
        drive_levels: of an analog source, that an input of 1 becomes.
    """

    amplitude: float
    mean: Array | float = 0.0
    rms: Array | float = 0.0
    analog: bool = False
    step: float = 1.0
    drive_levels: int = 1

    def over(self, share: float) -> SourceSignal:
        """Return what it sends in a share of the time."""
        step = self.step * share if self.analog else self.step
        return replace(self, mean=self.mean * share, rms=self.rms * share, step=step)

    @property
    def noise(self) -> Array:
        """Return the mean square of what the code's rounding changes of a train, in levels²."""
        noise: Array = np.minimum(self.step**2 / 12, np.square(self.rms))
        return noise


def code_error(connections: Sequence[Connection], sources: Sequence[SourceSignal], spiking: bool) -> Array:
    """Return ε_code² of each neuron of a population, of shape () or (size,).

    Args:
        connections: with weights in thresholds, float64.
        sources: of each connection.
        spiking: the population rounds its own activation to levels too.
    """
    total = np.full((), float(spiking) / 12)
    for connection, source in zip(connections, sources, strict=True):
        kind, pool = connection.connectivity, connection.pool
        total = total + (1.0 if pool is None else pool.squares) * kind.received(kind.weights**2, source.noise)
    return total


def current_error(
    exact: Sequence[Connection],
    rounded: Sequence[Connection],
    unit: int,
    sources: Sequence[SourceSignal],
    constant: Array | float = 0.0,
) -> Array:
    """Return ε² of each neuron of a population, of shape () or (size,).

    Args:
        exact: connections with weights in thresholds, float64.
        rounded: the same with integer weights.
        unit: the integer that stands for one threshold.
        sources: of each connection.
        constant: what the rounding of a constant current adds up to through a train; part of the first term.
    """
    shared, own = np.asarray(constant), np.zeros(())
    for connection, grid, source in zip(exact, rounded, sources, strict=True):
        kind = connection.connectivity
        amount = 1.0 if connection.pool is None else connection.pool.amount
        error = grid.connectivity.weights.astype(np.float64) / unit - kind.weights
        shared = shared + amount * kind.received(error, np.asarray(source.mean))
        own = own + amount**2 * kind.received(error**2, np.square(source.rms))
    total: Array = shared**2 + own
    return total


def power(connections: Sequence[Connection], sources: Sequence[SourceSignal]) -> Array:
    """Return Σ A²·w²·E[n²] of each neuron of a population, of shape () or (size,): what its sources bring it.

    Args:
        connections: with weights in thresholds, float64.
        sources: of each connection.
    """
    total = np.zeros(())
    for connection, source in zip(connections, sources, strict=True):
        kind = connection.connectivity
        amount = 1.0 if connection.pool is None else connection.pool.amount
        total = total + amount**2 * kind.received(kind.weights**2, np.square(source.rms))
    return total


def coarseness(error: Array, code: Array) -> float:
    """Return the largest ε/ε_code over the neurons of a population, of ε² and ε_code²."""
    ratio = np.divide(error, code, out=np.zeros_like(error), where=error > 0)
    return float(np.sqrt(np.max(ratio, initial=0.0)))
