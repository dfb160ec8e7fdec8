"""What goes into a population: connections with their weights, and a constant, in units of activation."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from kgenn.conversion.base import Memoise, uncached
from kgenn.conversion.compose import compose
from kgenn.conversion.paths import Path, constant_of, paths_into
from kgenn.ir.graph import Array, Graph
from kgenn.ir.network import Connection

# What the name of a node has for a call of its layer after the first.
CALL = re.compile(r":\d+")


@dataclass(frozen=True, eq=False)
class Incoming:
    """What goes into a population, in units of activation.

    Attributes:
        connections: with weights W·λ_source, float64.
        bias: shape (size,).
    """

    connections: tuple[Connection, ...]
    bias: Array

    def in_thresholds(self, scale: Array) -> Incoming:
        """Return the same divided by the population's λ, flat or one value."""
        connections = []
        for c in self.connections:
            factors = np.broadcast_to(1.0 / scale, (c.connectivity.num_targets,))
            scaled = c.connectivity.scaled(np.ones(c.connectivity.num_sources), factors)
            connections.append(replace(c, connectivity=scaled))
        return Incoming(tuple(connections), self.bias / scale)

    def magnified(self, factor: float, sources: Collection[str]) -> Incoming:
        """Return the same with the constants, the bias and what comes from `sources`, times a factor."""

        def magnify(c: Connection) -> Connection:
            weights = c.connectivity.weights * factor
            return replace(c, connectivity=c.connectivity.with_weights(weights)) if c.source in sources else c

        return Incoming(tuple(map(magnify, self.connections)), self.bias * factor)

    @property
    def magnitude(self) -> Array:
        """Return, for each neuron, the sum of all |weights| and of the |bias|."""
        total: Array = sum((c.magnitude() for c in self.connections), np.abs(self.bias))
        return total


def incoming(
    graph: Graph,
    scales: Mapping[str, Array],
    end: str,
    target: str,
    shift: Array | None,
    memoise: Memoise = uncached,
) -> Incoming:
    """Return what goes into a population.

    Args:
        scales: λ of each population's node.
        end: the node whose value the population's neurons integrate.
        target: the population's name.
        shift: what is added to the bias, or None.
        memoise: keeps what of connections had to be searched for.
    """
    paths = paths_into(graph, end)
    connections = tuple(_connection(graph, scales, path, end, target, memoise) for path in paths)
    bias = constant_of(graph, end)
    return Incoming(connections, (bias if shift is None else bias + shift).ravel())


def _connection(
    graph: Graph, scales: Mapping[str, Array], path: Path, end: str, target: str, memoise: Memoise
) -> Connection:
    """Return a path as a connection with weights W·λ_source, not yet divided by the target's λ."""
    pool, connectivity = compose(path, graph.by_name[end].origin or end, memoise)
    scale = np.broadcast_to(scales[path.source], path.shape if pool is None else pool.out_shape).ravel()
    scaled = connectivity.scaled(scale, np.ones(connectivity.num_targets))
    return Connection(population_name(graph, path.source), target, scaled, pool)


def population_name(graph: Graph, node: str) -> str:
    """Return the name of a node's population: that of the Keras layer, where its ReLU was part of one.

    Further calls of a shared layer have a number, as in "layer:1". A layer that is itself called "relu" in a
    nested model, or has such a name, keeps it.
    """
    layer, call = graph.by_name[node].origin.rpartition(" (")[0], node.removesuffix("/relu")
    return call if call != node and layer in (call, CALL.sub("", call)) else node
