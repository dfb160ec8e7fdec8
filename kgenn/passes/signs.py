"""Tell which nodes can never be negative, so that spikes can stand for them."""

from __future__ import annotations

from kgenn.ir.graph import Graph
from kgenn.layers.activation import ReLU


def non_negative(graph: Graph) -> frozenset[str]:
    """Return the names of the nodes whose values are non-negative whatever the input."""
    names: set[str] = set()
    for node in graph.nodes:
        inherited = node.layer.keeps_sign and bool(node.inputs) and names.issuperset(node.inputs)
        if inherited or (isinstance(node.layer, ReLU) and node.layer.negative_slope == 0):
            names.add(node.name)
    return frozenset(names)
