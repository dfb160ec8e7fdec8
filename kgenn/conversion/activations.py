"""Statistics of the ANN's activations over the calibration set: largest values, percentiles, moments."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from kgenn.conversion.base import Memoise, uncached
from kgenn.diagnostics import fail
from kgenn.ir.graph import Array, Graph, Node
from kgenn.ir.samples import Samples
from kgenn.layers.activation import ReLU
from kgenn.layers.populations import is_population

# Samples computed at once: memory grows with it, the result does not change.
BATCH = 64


def known_scale(node: Node) -> float | None:
    """Return λ of a ReLU where it asks for no data, or None.

    A piece of an activation is full at its cap, on some sample or other.
    """
    return node.layer.max_value if isinstance(node.layer, ReLU) and node.purpose == "pieces" else None


def known_scales(graph: Graph, channelwise: bool) -> dict[str, Array]:
    """Return λ of the ReLUs that ask for no data, each of shape () or (channels,), float64."""
    found = {node.name: known_scale(node) for node in graph.nodes}
    shapes = {name: graph.shapes[name][-1:] if channelwise else () for name in found}
    return {name: np.full(shapes[name], scale, np.float64) for name, scale in found.items() if scale is not None}


def measured_relus(graph: Graph) -> tuple[str, ...]:
    """Return the ReLUs whose scales the data decide, in topological order."""
    relus = (node for node in graph.nodes if isinstance(node.layer, ReLU))
    return tuple(node.name for node in relus if known_scale(node) is None)


def relu_activations(graph: Graph, calibration: Samples) -> Iterator[tuple[str, Array]]:
    """Yield (name, activation of shape (N, ...)) of every ReLU whose scale is not known, batch by batch."""
    return values_of(graph, frozenset(measured_relus(graph)), calibration)


def values_of(graph: Graph, names: Container[str], samples: Samples) -> Iterator[tuple[str, Array]]:
    """Yield (name, value of shape (N, ...)) of some nodes, batch by batch.

    Raises:
        KgennError: KG402 where one is not finite.
    """
    size, given = graph.batch_size(BATCH), graph.samples(samples)
    for start in range(0, len(given), size):
        for name, value in graph.forward(given[start : start + size].single()):
            if name in names:
                check_finite(name, value)
                yield name, value


def check_finite(name: str, value: Array) -> None:
    """Raise KG402 where a node's values are not finite."""
    if not (np.isfinite(value.max(initial=0)) and np.isfinite(value.min(initial=0))):
        what = "has activations that are not finite on the calibration set"
        raise fail("KG402", name, what, "check the calibration data and the model's weights")


def percentiles(
    graph: Graph, calibration: Samples, percentile: float, channelwise: bool, memoise: Memoise = uncached
) -> dict[str, Array]:
    """Return a percentile of each ReLU's activation over samples and neurons, zeros included.

    Only the largest values are kept from batch to batch, so that memory stays small. Between two values the
    percentile interpolates linearly, as `numpy.percentile` does.

    Args:
        percentile: in (0, 100]; 100 is the maximum.
        channelwise: one for each channel instead of one for the layer.
        memoise: keeps them.

    Returns:
        For each ReLU's name an array of shape () or (channels,), float64.
    """
    found: dict[str, Array] = memoise(
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


# Samples that the moments are taken over: they only say how busy a population is.
MAX_SAMPLES = 64


@dataclass(frozen=True, eq=False)
class Moments:
    """How large the values of a node are.

    Attributes:
        mean, square: mean of the value and of its square, shape (channels,), float64.
        spread: the standard deviation of what a ReLU is applied to, shape (channels,); 0 for other nodes.
    """

    mean: Array
    square: Array
    spread: Array

    def relative(self, scale: Array) -> tuple[Array, Array]:
        """Return mean and root mean square of each channel as shares of λ, of shape () or (channels,)."""
        return self.mean / scale, np.sqrt(self.square / scale**2)

    def repeated(self, number: int) -> Moments:
        """Return the same of a node that has each channel so many times, one after the other."""
        return Moments(*(np.repeat(each, number) for each in (self.mean, self.square, self.spread)))


def moments(graph: Graph, samples: Samples, memoise: Memoise = uncached) -> Mapping[str, Moments]:
    """Return the moments of every input, of every ReLU and of every max pooling of a lowered graph.

    Args:
        samples: of which the first `MAX_SAMPLES` are used.
        memoise: keeps them.

    Raises:
        KgennError: KG402 where a value is not finite, one of an output too.
    """
    found: Mapping[str, Moments] = memoise("moments", lambda: _moments(graph, samples[:MAX_SAMPLES]))
    return found


def _moments(graph: Graph, samples: Samples) -> dict[str, Moments]:
    populations = [node for node in graph.nodes if is_population(node)]
    rectified = {node.name: node.inputs[0] for node in populations if isinstance(node.layer, ReLU)}
    names = {node.name for node in populations} | set(rectified.values()) | set(graph.ends)
    sums: dict[str, list[Array]] = {}
    for name, value in values_of(graph, names, samples):
        rows = value.reshape(-1, value.shape[-1]).astype(np.float64)
        share = len(value) / len(samples)
        part = share * np.stack([rows.mean(axis=0), (rows**2).mean(axis=0)])
        sums.setdefault(name, []).append(part)
    totals = {name: np.sum(parts, axis=0) for name, parts in sums.items()}
    nothing = np.zeros((2, 1))
    spreads = {node.name: _deviation(*totals.get(rectified.get(node.name, ""), nothing)) for node in populations}
    return {name: Moments(totals[name][0], totals[name][1], spread) for name, spread in spreads.items()}


def _deviation(mean: Array, square: Array) -> Array:
    deviation: Array = np.sqrt(np.maximum(square - mean**2, 0))
    return deviation
