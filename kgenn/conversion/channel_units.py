"""Compare the channels of a layer in units that do not depend on how the model happens to write them.

A channel's weights can be made s times as large, and the weights that it goes to s times as small: the model is
the same. So what one channel says of another must not depend on s. Scales are compared in units of how far the
channel's pre-activation spreads over the calibration set, u_c, and what the layer says of channel c is::

    u_c · min(max r, 2·median r)    with r = λ/u over the channels that fired

n samples say little of u where n is small, which is why u_c is the spread to the power n/(n + 8).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from kgenn.conversion.activations import MAX_SAMPLES, moments
from kgenn.conversion.base import Memoise, uncached
from kgenn.ir.graph import Array, Graph
from kgenn.ir.samples import Samples

# Samples after which a channel's own spread counts half.
PRIOR = 8
# How far above the median a channel may be and still speak for its layer.
OUTLYING = 2.0


def channel_units(graph: Graph, samples: Samples, memoise: Memoise = uncached) -> dict[str, Array]:
    """Return u of each node that is a population, shape (channels,), positive float64.

    Args:
        graph: lowered.
        samples: of the calibration set.
        memoise: keeps the moments.
    """
    count = min(len(samples), MAX_SAMPLES)
    return {name: _units(m.spread, count) for name, m in moments(graph, samples, memoise).items()}


def _units(spread: Array, num_samples: int) -> Array:
    """Return spreads as units, the typical one where a channel has none; only their ratios matter."""
    some = spread[spread > 0]
    if not len(some):
        return np.ones_like(spread)
    typical = np.median(some)
    relative = np.where(spread > 0, spread, typical) / typical
    units: Array = relative ** (num_samples / (num_samples + PRIOR))
    return units


def of_layer(parts: Iterable[tuple[Array, Array]]) -> float:
    """Return what a layer's channels that fired say of all, in units; 0 where none did.

    Args:
        parts: scales and units of each part of the layer, of one shape.
    """
    relative = np.concatenate([np.ravel(scale / unit) for scale, unit in parts])
    fired = relative[relative > 0]
    return float(min(fired.max(), OUTLYING * np.median(fired))) if len(fired) else 0.0


def as_of_layer(scale: Array, unit: Array) -> Array:
    """Return for each channel the scale that its layer says, from scales and units of shape (channels,)."""
    return unit * of_layer([(scale, unit)])


def units_for(units: Mapping[str, Array], name: str, scale: Array) -> Array:
    """Return the units of a ReLU's scales: 1 where it has one scale for all channels."""
    return units[name] if scale.ndim else np.ones(())
