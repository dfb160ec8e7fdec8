"""Statistics of the ANN's activations over the calibration set."""

from __future__ import annotations

from collections.abc import Container, Iterator

import numpy as np

from kgenn.conversion.base import Recall, anew
from kgenn.diagnostics import fail
from kgenn.ir.graph import Array, Graph
from kgenn.ir.samples import Samples
from kgenn.layers.activation import ReLU

# Samples computed at once: memory grows with it, the result does not change.
BATCH = 64


def known_scales(graph: Graph, channelwise: bool) -> dict[str, Array]:
    """Return the scales that ask for no data: a piece of an activation is full at its cap, on one sample or other.

    Returns:
        For each population of pieces an array of shape () or (channels,), float64.
    """
    found = {}
    for node in graph.nodes:
        if node.purpose == "pieces" and isinstance(node.layer, ReLU):
            shape = graph.shapes[node.name][-1:] if channelwise else ()
            found[node.name] = np.full(shape, node.layer.max_value, np.float64)
    return found


def measured_relus(graph: Graph) -> tuple[str, ...]:
    """Return the ReLUs whose scales the data decide, in topological order."""
    known = known_scales(graph, channelwise=False)
    return tuple(node.name for node in graph.nodes if isinstance(node.layer, ReLU) and node.name not in known)


def relu_activations(graph: Graph, calibration: Samples) -> Iterator[tuple[str, Array]]:
    """Yield (name, activation of shape (N, ...)) of every ReLU whose scale is not known, batch by batch."""
    return values_of(graph, frozenset(measured_relus(graph)), calibration)


def values_of(graph: Graph, wanted: Container[str], samples: Samples) -> Iterator[tuple[str, Array]]:
    """Yield (name, value of shape (N, ...)) of some nodes, batch by batch.

    Raises:
        KgennError: KG402 where one is not finite.
    """
    size = graph.batch_size(BATCH)
    for start in range(0, len(samples), size):
        for name, value in graph.forward(graph.samples(samples[start : start + size]).single()):
            if name in wanted:
                check_finite(name, value)
                yield name, value


def check_finite(name: str, value: Array) -> None:
    """Raise KG402 where a node's values are not finite."""
    if not np.isfinite(value.max(initial=0)):
        what = "has activations that are not finite on the calibration set"
        raise fail("KG402", name, what, "check the calibration data and the model's weights")


def percentiles(
    graph: Graph, calibration: Samples, percentile: float, channelwise: bool, recall: Recall = anew
) -> dict[str, Array]:
    """Return a percentile of each ReLU's activation over samples and neurons, zeros included.

    Only the largest values are kept from batch to batch, so that memory stays small. Between two values the
    percentile interpolates linearly, as `numpy.percentile` does.

    Args:
        percentile: in (0, 100]; 100 is the maximum.
        channelwise: one for each channel instead of one for the layer.
        recall: keeps them.

    Returns:
        For each ReLU's name an array of shape () or (channels,), float64.
    """
    found: dict[str, Array] = recall(
        ("percentiles", percentile, channelwise), lambda: _percentiles(graph, calibration, percentile, channelwise)
    )
    return found


def _percentiles(graph: Graph, calibration: Samples, percentile: float, channelwise: bool) -> dict[str, Array]:
    largest: dict[str, Array] = {}
    totals: dict[str, int] = {}
    for name, value in relu_activations(graph, calibration):
        rows = value.reshape(-1, value.shape[-1]) if channelwise else value.reshape(-1, 1)
        totals[name] = len(calibration) * (len(rows) // len(value))
        keep = totals[name] - int(_rank(totals[name], percentile))
        pool = np.concatenate([largest[name], rows]) if name in largest else rows
        cut = max(len(pool) - keep, 0)
        largest[name] = np.partition(pool, cut, axis=0)[cut:]
    result = {}
    for name, values in largest.items():
        ascending = np.sort(values, axis=0).astype(np.float64)
        fraction = _rank(totals[name], percentile) % 1
        between = ascending[0] + fraction * (ascending[min(1, len(ascending) - 1)] - ascending[0])
        result[name] = between if channelwise else between[0]
    return {**{name: np.asarray(value) for name, value in result.items()}, **known_scales(graph, channelwise)}


def _rank(total: int, percentile: float) -> float:
    """Return the position of the percentile among `total` ascending values, counted from 0."""
    return (total - 1) * percentile / 100
