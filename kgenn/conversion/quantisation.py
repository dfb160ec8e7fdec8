"""Choose λ by the least squared error of what a spike train can say.

A spike train of full scale L says n·λ/L for a whole n from 0 to L, the nearest to the activation a::

    q(a) = min(max(floor(a·L/λ + 1/2), 0), L)·λ/L

A small λ clips large activations, a large one rounds small ones; the best is where Σ (q(a) − a)² over the
calibration set is least. The sum is taken over a histogram, so that the samples are passed twice and not kept.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kgenn.conversion.activations import relu_activations
from kgenn.ir.graph import Array, Graph

# Bins of the histogram, from 0 to the largest activation: far below a step of 8 bits.
BINS = 8192
# Candidates for λ as shares of the largest activation, then around the best of them.
COARSE = np.arange(0.02, 1.0001, 0.02)
FINE = np.arange(-0.018, 0.0181, 0.002)


def largest(graph: Graph, samples: Array) -> dict[str, float]:
    """Return the largest activation of each ReLU."""
    found: dict[str, float] = {}
    for name, value in relu_activations(graph, samples):
        found[name] = max(found.get(name, 0.0), float(value.max(initial=0.0)))
    return found


def histograms(graph: Graph, samples: Array, tops: Mapping[str, float]) -> dict[str, Array]:
    """Return for each ReLU how many activations fall into each of `BINS` equal bins from 0 to its largest."""
    counts = {name: np.zeros(BINS, np.int64) for name in tops}
    for name, value in relu_activations(graph, samples):
        if tops[name] > 0:
            bins = np.minimum((value.ravel() * np.float64(BINS / tops[name])).astype(np.int64), BINS - 1)
            counts[name] += np.bincount(bins, minlength=BINS)
    return counts


def squared_error(counts: Array, top: float, scale: float, levels: int, rounding: bool) -> float:
    """Return Σ (q(a) − a)² of a histogram for one λ."""
    a = (np.arange(len(counts)) + 0.5) * (top / len(counts))
    a[0] = 0.0  # most of the first bin are exact zeros
    step = scale / levels
    sent = np.clip(np.floor(a / step + (0.5 if rounding else 0.0)), 0, levels) * step
    return float((counts * (sent - a) ** 2).sum())


def least_squares_scale(counts: Array, top: float, levels: int, rounding: bool) -> float:
    """Return the λ of least squared error for a histogram that ends at `top`."""

    def error(share: float) -> float:
        return squared_error(counts, top, share * top, levels, rounding)

    best = min(COARSE, key=error)
    around = best + FINE
    return float(min(around[around > 0], key=error)) * top


def least_squares_scales(graph: Graph, samples: Array, levels: int, rounding: bool) -> dict[str, Array]:
    """Return λ of least squared error for each ReLU, shape (); 0 where it was silent on all samples.

    Args:
        graph: lowered.
        samples: shape (N, *input shape).
        levels: L, the full scale of a spike train.
        rounding: to the nearest level; else down.
    """
    tops = largest(graph, samples)
    return {
        name: np.asarray(least_squares_scale(counts, tops[name], levels, rounding) if tops[name] > 0 else 0.0)
        for name, counts in histograms(graph, samples, tops).items()
    }
