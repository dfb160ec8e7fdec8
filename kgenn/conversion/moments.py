"""Mean and mean square of what each population stands for, over the calibration set, and how its inputs spread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kgenn.conversion.activations import values_of
from kgenn.conversion.base import Memoise, uncached
from kgenn.ir.graph import Array, Graph
from kgenn.ir.samples import Samples
from kgenn.layers.activation import ReLU
from kgenn.layers.populations import is_population

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
