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
from kgenn.conversion.base import Recall, anew
from kgenn.conversion.channel_units import as_of_layer, channel_units
from kgenn.ir.graph import Array, Graph

# Bins of a histogram, from 0 to the largest activation.
BINS = 2048
# Candidates for λ as shares of the largest activation.
SHARES = np.geomspace(0.05, 1.05, 64)
# A channel's largest activation counts as at least this share of what its layer says of it: the calibration set
# says little of a channel that is almost silent.
LEAST = 0.1


def quantised(a: Array, scale: Array, levels: int, rounding: bool, limit: float | None = None) -> Array:
    """Return q(a), or with `rounding` off what truncation gives.

    Args:
        scale: λ, which broadcasts over a.
        limit: the largest n; `levels` if not given.
    """
    step, most = scale / levels, levels if limit is None else limit
    result: Array = np.clip(np.floor(a / step + (0.5 if rounding else 0.0)), 0, most) * step
    return result


def largest(graph: Graph, samples: Array) -> dict[str, Array]:
    """Return the largest activation of each channel of each ReLU, shape (channels,), float64."""
    found: dict[str, Array] = {}
    for name, value in relu_activations(graph, samples):
        top = value.reshape(-1, value.shape[-1]).max(axis=0, initial=0.0).astype(np.float64)
        found[name] = np.maximum(found[name], top) if name in found else top
    return found


def histograms(graph: Graph, samples: Array, tops: Mapping[str, Array]) -> dict[str, Array]:
    """Return for each ReLU how many activations fall into each of `BINS` equal bins from 0 to a channel's top.

    Returns:
        For each ReLU's name an array of shape (channels, BINS).
    """
    counts = {name: np.zeros((len(top), BINS), np.int64) for name, top in tops.items()}
    for name, value in relu_activations(graph, samples):
        channels = value.shape[-1]
        share = value.reshape(-1, channels) / np.where(tops[name] > 0, tops[name], 1.0)
        bins = np.minimum((share * BINS).astype(np.int64), BINS - 1) + BINS * np.arange(channels)
        counts[name] += np.bincount(bins.ravel(), minlength=channels * BINS).reshape(channels, BINS)
    return counts


def least_squares(counts: Array, tops: Array, levels: int, rounding: bool) -> Array:
    """Return the λ of least squared error of each histogram.

    Args:
        counts: shape (channels, BINS).
        tops: where each histogram ends, shape (channels,), positive.
    """
    a = (np.arange(counts.shape[1]) + 0.5) / counts.shape[1]
    a[0] = 0.0  # most of the first bin are exact zeros
    errors = [counts @ (quantised(a, share, levels, rounding) - a) ** 2 for share in SHARES]
    best: Array = SHARES[np.argmin(errors, axis=0)] * tops
    return best


def least_squares_scales(
    graph: Graph, samples: Array, levels: int, rounding: bool, channelwise: bool, recall: Recall = anew
) -> dict[str, Array]:
    """Return λ of least squared error for each ReLU; zeros where it was silent on all samples.

    Args:
        graph: lowered.
        samples: shape (N, *input shape).
        levels: L, the full scale of a spike train.
        rounding: to the nearest level; else down.
        channelwise: one for each channel, shape (channels,), instead of one for the layer, shape ().
        recall: keeps the histograms, which depend on neither levels nor rounding.
    """
    tops: dict[str, Array] = recall("largest", lambda: largest(graph, samples))
    if channelwise:
        units = channel_units(graph, samples, recall)
        tops = {n: np.maximum(top, LEAST * as_of_layer(top, units[n])) for n, top in tops.items()}
    else:
        tops = {name: np.full_like(top, top.max()) for name, top in tops.items()}
    scales = {}
    counted: dict[str, Array] = recall(("histograms", channelwise), lambda: histograms(graph, samples, tops))
    for name, counts in counted.items():
        own = counts if channelwise else counts.sum(axis=0, keepdims=True)
        best = least_squares(own, tops[name][: len(own)], levels, rounding)
        scales[name] = best if channelwise else best[0]
    return scales
