"""Cut a lowered graph into populations and the linear paths between them.

The populations are the nonlinearities (ReLUs and max poolings), the input and the readout. What lies between two
of them is a chain of linear layers, and a sum of chains where branches join: each chain becomes one connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kgenn.diagnostics import Diagnostic, KgennError
from kgenn.ir.graph import Array, Graph, Layer, Node, Shape
from kgenn.layers.conv import Conv
from kgenn.layers.dense import Dense
from kgenn.layers.populations import is_population

# Paths into one population. The sums of a residual network have as many as blocks.
MAX_PATHS = 4096
# What to do about a layer that no connection can be.
INSTEAD = (
    "build the model with ReLUs, max poolings and linear layers that compute the same; the class of a plug-in "
    "sets linear = True where its layer is linear"
)


@dataclass(frozen=True, eq=False)
class Path:
    """A chain of linear layers from a population to a target.

    Attributes:
        source: the population's node.
        shape: the population's shape.
        layers: the chain, from the source on.
    """

    source: str
    shape: Shape
    layers: tuple[Layer, ...] = ()

    def then(self, *layers: Layer) -> Path:
        """Return the path with more layers."""
        return Path(self.source, self.shape, (*self.layers, *layers))


def region(graph: Graph, *ends: str) -> list[Node]:
    """Return the nodes on the way from populations to some nodes, each after its inputs; the populations too."""
    found: dict[str, Node] = {}
    waiting = list(ends)
    while waiting:
        node = graph.by_name[waiting[-1]]
        before = [] if is_population(node) else [s for s in node.inputs if s not in found]
        if not before:
            found[node.name] = node
            waiting.pop()
        waiting += before
    return list(found.values())


def excess_of_paths(graph: Graph, name: str) -> Diagnostic | None:
    """Return why a node has too many paths to it for a connection each, or None."""
    count: dict[str, int] = {}
    for node in region(graph, name):
        count[node.name] = 1 if is_population(node) else sum(count[s] for s in node.inputs)
    if count[name] <= MAX_PATHS:
        return None
    where = graph.by_name[name].origin or name
    what = f"adds up {count[name]:,} linear paths from ReLUs and inputs, more than {MAX_PATHS:,}"
    return Diagnostic("KG110", where, what, "put a ReLU between the sums, or sum once")


def paths_into(graph: Graph, name: str) -> tuple[Path, ...]:
    """Return every linear path that ends in the value of a node, from the populations it starts at.

    Raises:
        KgennError: KG110 where there are too many; KG301 where a layer on the way is not linear.
    """
    problem = excess_of_paths(graph, name)
    if problem is not None:
        raise KgennError([problem])
    found: dict[str, tuple[Path, ...]] = {}
    for node in region(graph, name):
        found[node.name] = _paths_through(graph, node, [found.get(s, ()) for s in node.inputs])
    return found[name]


def _paths_through(graph: Graph, node: Node, incoming: list[tuple[Path, ...]]) -> tuple[Path, ...]:
    """Return the paths that end in a node's value, given those that end in its inputs'."""
    if is_population(node):
        return (Path(node.name, graph.shapes[node.name]),)
    problem = nonlinear(node)
    if problem is not None:
        raise KgennError([problem])
    chains = node.layer.shares(*(graph.shapes[source] for source in node.inputs))
    return tuple(path.then(*chain) for chain, paths in zip(chains, incoming, strict=True) for path in paths)


def nonlinear(node: Node) -> Diagnostic | None:
    """Return why no path runs through a node, or None where it is a population or becomes synapses."""
    if is_population(node) or node.layer.linear:
        return None
    what = f"{type(node.layer).__name__} is not linear, and neither a ReLU nor a max pooling"
    return Diagnostic("KG301", node.origin or node.name, what, INSTEAD)


def constant_of(graph: Graph, name: str) -> Array:
    """Return a node's value where every population is silent: what biases and shifts alone contribute.

    Returns:
        The node's shape, float64.
    """
    values: dict[str, Array] = {}
    for node in region(graph, name):
        if is_population(node):
            values[node.name] = np.zeros((1, *graph.shapes[node.name]))
        else:
            values[node.name] = node.layer.forward(*(values[s] for s in node.inputs))
    value: Array = values[name][0]
    return value


def weights_into(graph: Graph, name: str) -> Mapping[str, Array]:
    """Return the kernels met on the way back from a node to the populations before it, by node."""
    layers = {node.name: node.layer for node in region(graph, name)}
    return {name: layer.kernel for name, layer in layers.items() if isinstance(layer, Conv | Dense)}
