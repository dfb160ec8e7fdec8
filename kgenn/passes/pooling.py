"""Decide which average poolings get neurons of their own."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from kgenn.ir.graph import Graph, Node
from kgenn.layers.activation import ReLU
from kgenn.layers.pooling import AveragePool
from kgenn.layers.shape import Reshape
from kgenn.passes.inserted import inserted
from kgenn.passes.options import LoweringOptions
from kgenn.passes.signs import non_negative

# With n pixels in a window and m synapses from a pooled value onward, a folded pool has n·m synapses for each
# pooled value, a population of its own n + m. Folding loses nothing, where a population rounds once more (at
# T = 8 a global pool of 8×8 folded into ten classes gave 10 points more); above this ratio it is too large.
MAX_SYNAPSES = 16.0


def place_pool_populations(graph: Graph, options: LoweringOptions) -> Graph:
    """Insert a ReLU after each average pooling that shall be a population; the others fold into connections.

    The average of non-negative values is its own ReLU, so that the function stays. Declines where the input
    can be negative, or a ReLU follows anyway.
    """
    positive = non_negative(graph)
    notes: list[str] = []

    def change(node: Node) -> Sequence[Node] | None:
        if not isinstance(node.layer, AveragePool) or not _needs_population(graph, node, options):
            return None
        if node.name not in positive:
            notes.append(f"{node.name}: folded, since it can be negative")
            return None
        notes.append(f"{node.name}: kept as a population of its own")
        return node, inserted(node, node.name, "population")

    return graph.edit(change).noted(*notes)


def _needs_population(graph: Graph, node: Node, options: LoweringOptions) -> bool:
    consumers = _through_reshapes(graph, node)
    if any(isinstance(c.layer, ReLU) for c in consumers):
        return False
    if options.pooling != "auto":
        return options.pooling == "population"
    assert isinstance(node.layer, AveragePool)
    window = prod(node.layer.size)
    onward = sum(_fan_out(graph, consumer, node) for consumer in consumers)
    return window * onward > MAX_SYNAPSES * (window + onward)


def _through_reshapes(graph: Graph, node: Node) -> list[Node]:
    """Return the nodes that read this one, with reshapes looked through."""
    found: list[Node] = []
    left = [node.name]
    while left:
        for consumer in map(graph.by_name.__getitem__, graph.consumers[left.pop()]):
            if isinstance(consumer.layer, Reshape):
                left.append(consumer.name)
            else:
                found.append(consumer)
    return found


def _fan_out(graph: Graph, consumer: Node, pool: Node) -> float:
    """Return the mean number of synapses of a pooled value into a consumer."""
    macs = consumer.layer.macs(*(graph.shapes[s] for s in consumer.inputs))
    return max(macs / prod(graph.shapes[pool.name]), 1.0)
