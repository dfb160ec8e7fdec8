"""Choose λ by the least squared error of what a spike train can say.

A spike train of full scale L says n·λ/L for a whole n from 0 to L, the nearest to the activation a::

    q(a) = min(max(floor(a·L/λ + 1/2), 0), L)·λ/L

A small λ clips large activations, a large one rounds small ones; the best is where Σ (q(a) − a)² is least over the
calibration set and what new samples add to it. Of two sets of equal size either is as likely to have the largest
value, so that new samples are expected to have one value in each channel beyond the largest, m, of the calibration
set: m + x, with x exponential of mean β. With d = max(0, m − λ) its squared error is on average::

    d² + 2βd + 2β²    for λ ≤ m,        2β²·exp(−(λ − m)/β)    for λ > m

Few levels make little of it, since rounding costs more; with many, a λ at the maximum would clip more than it
rounds. The sums are taken over a histogram, so that the samples are passed twice and not kept.

Source of the exponential excess: Pickands 1975, doi:10.1214/aos/1176343003, with a shape of 0.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kgenn.conversion.activations import known_scales, relu_activations
from kgenn.conversion.base import Memoise, uncached
from kgenn.conversion.channel_units import as_of_layer, channel_units
from kgenn.ir.graph import Array, Graph
from kgenn.ir.samples import Samples

# Bins of a histogram, from 0 to the largest activation.
BINS = 2048
# Channels whose histograms are weighed at once: memory grows with it, the result does not change.
ROWS = 4096
# Candidates for λ as shares of the largest activation.
SHARES = np.geomspace(0.05, 2.0, 96)
# The largest of a layer's activations above zero, which its β is taken from: their share, and the least number for
# each channel, of which one is the top itself.
TOP_SHARE = 0.05
MIN_PER_CHANNEL = 4
# A channel's largest activation counts as at least this share of what its layer says of it: the calibration set
# says little of a channel that is almost silent.
MIN_TOP = 0.1


def quantised(a: Array, scale: Array, levels: int, rounding: bool, limit: float | None = None) -> Array:
    """Return q(a), or with `rounding` off what truncation gives.

    Args:
        scale: λ, which broadcasts over a.
        limit: the largest n; `levels` if not given.
    """
    step, largest = scale / levels, levels if limit is None else limit
    n: Array = np.asarray(a / step)
    if rounding:
        n += 0.5
    np.clip(
        np.floor(n, out=n), 0, largest, out=n
    )  # in place: arrays may be as large as all activations of a layer
    n *= step
    return n


def largest(graph: Graph, samples: Samples) -> dict[str, Array]:
    """Return the largest activation of each channel of each ReLU, shape (channels,), float64."""
    found: dict[str, Array] = {}
    for name, value in relu_activations(graph, samples):
        top = value.reshape(-1, value.shape[-1]).max(axis=0, initial=0.0).astype(np.float64)
        found[name] = np.maximum(found[name], top) if name in found else top
    return found


def histograms(graph: Graph, samples: Samples, tops: Mapping[str, Array]) -> dict[str, Array]:
    """Return for each ReLU how many activations fall into each of `BINS` equal bins from 0 to a channel's top.

    Returns:
        For each ReLU's name an array of shape (channels, BINS).
    """
    counts = {name: np.zeros((len(top), BINS), np.uint32) for name, top in tops.items()}
    for name, value in relu_activations(graph, samples):
        channels = value.shape[-1]
        width = np.where(tops[name] > 0, tops[name], 1.0) / BINS
        bins = (value.reshape(-1, channels) / width).astype(np.intp)
        np.minimum(bins, BINS - 1, out=bins)
        bins += BINS * np.arange(channels)
        found = np.bincount(bins.ravel(), minlength=channels * BINS)
        counts[name] += found.reshape(channels, BINS).astype(np.uint32)
    return counts


def mean_excess(counts: Array) -> float:
    """Return β as a share of the largest activation, over the uppermost activations of all channels of a layer.

    Args:
        counts: shape (channels, BINS).
    """
    total = counts.sum(axis=0, dtype=np.float64)
    total[0] = 0.0  # most of the first bin are exact zeros
    above = np.cumsum(total[::-1])[::-1]
    count = min(max(TOP_SHARE * above[0], MIN_PER_CHANNEL * len(counts)), above[0])
    first = int(np.flatnonzero(above >= count)[-1])
    excess = (np.arange(len(total)) - first + 0.5) / len(total)
    return float(total[first:] @ excess[first:] / max(above[first], 1.0))


def beyond(share: Array, excess: float) -> Array:
    """Return the expected squared error of a new largest value, in squares of the old one.

    Args:
        share: λ as shares of the largest activation.
        excess: β, likewise.
    """
    below = np.maximum(1 - share, 0.0)
    above = np.exp(-np.maximum(share - 1, 0.0) / max(excess, 1e-9))
    error: Array = below**2 + 2 * excess * below + 2 * excess**2 * above
    return error


def least_squares(counts: Array, tops: Array, levels: int, rounding: bool, excess: float | None = None) -> Array:
    """Return the λ of least squared error of each histogram.

    Args:
        counts: shape (channels, BINS).
        tops: where each histogram ends, shape (channels,), positive.
        excess: of new samples beyond the tops, as a share of these; None where nothing is clipped.
    """
    a = (np.arange(counts.shape[1]) + 0.5) / counts.shape[1]
    a[0] = 0.0  # most of the first bin are exact zeros
    a = a[:, None]
    of_bin = (quantised(a, SHARES, levels, rounding) - a) ** 2
    of_new = 0.0 if excess is None else beyond(SHARES, excess)
    best = np.empty(len(counts), np.intp)
    for rows in (slice(start, start + ROWS) for start in range(0, len(counts), ROWS)):
        best[rows] = np.argmin(counts[rows].astype(np.float64) @ of_bin + of_new, axis=1)
    scales: Array = SHARES[best] * tops
    return scales


def least_squares_scales(
    graph: Graph,
    samples: Samples,
    levels: int,
    rounding: bool,
    channelwise: bool,
    memoise: Memoise = uncached,
    clipped: bool = True,
) -> dict[str, Array]:
    """Return λ of least squared error for each ReLU; zeros where it was silent on all samples.

    Args:
        graph: lowered.
        samples: of the calibration set.
        levels: L, the full scale of a spike train.
        rounding: to the nearest level; else down.
        channelwise: one for each channel, shape (channels,), instead of one for the layer, shape ().
        memoise: keeps the histograms, which depend on neither levels nor rounding.
        clipped: activations beyond λ are lost, those of new samples too.
    """
    tops: dict[str, Array] = memoise("largest", lambda: largest(graph, samples))
    if channelwise:
        units = channel_units(graph, samples, memoise)
        tops = {n: np.maximum(top, MIN_TOP * as_of_layer(top, units[n])) for n, top in tops.items()}
    else:
        tops = {name: np.full_like(top, top.max()) for name, top in tops.items()}
    scales = {}
    counted: dict[str, Array] = memoise(("histograms", channelwise), lambda: histograms(graph, samples, tops))
    for name, counts in counted.items():
        own = counts if channelwise else counts.sum(axis=0, keepdims=True)
        excess = mean_excess(own) if clipped else None
        best = least_squares(own, tops[name][: len(own)], levels, rounding, excess)
        scales[name] = best if channelwise else best[0]
    return {**scales, **known_scales(graph, channelwise)}
