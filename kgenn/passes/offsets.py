"""Let neurons pool values of both signs: shift them above zero, pool, and shift back.

max(x) = max(ReLU(x + c)) − c for any c that lifts the maximum above zero. Values that cannot win need not be
lifted, so c only follows the least maximum of each channel over the calibration set, with a margin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from kgenn.ir.graph import Graph, Node
from kgenn.layers.activation import ReLU
from kgenn.layers.affine import Rescaling
from kgenn.layers.pooling import MaxPool
from kgenn.layers.populations import is_population
from kgenn.passes.values import Values

# Of the range of a channel's maxima, below the least of them.
MARGIN = 0.1


def signed_pools(graph: Graph) -> tuple[str, ...]:
    """Return the max poolings of a lowered graph that read no population: their values can have both signs."""
    pools = (node for node in graph.nodes if isinstance(node.layer, MaxPool))
    return tuple(pool.name for pool in pools if not is_population(graph.by_name[pool.inputs[0]]))


def shift_signed_pools(graph: Graph, values: Mapping[str, Values]) -> Graph:
    """Return a graph whose max poolings read populations.

    Args:
        values: of each pooling in `signed_pools`, by its name.
    """
    signed = signed_pools(graph)

    def change(node: Node) -> Sequence[Node] | None:
        if node.name not in signed:
            return None
        seen = values[node.name]
        lift = np.maximum(0, -seen.low + MARGIN * (seen.high - seen.low)).astype(np.float32)
        one = np.ones(1, np.float32)
        up = Node(f"{node.name}/lift", Rescaling(one, lift), node.inputs, node.origin)
        relu = Node(f"{node.name}/source", ReLU(), (up.name,), node.origin)
        pool = replace(node, name=f"{node.name}/maximum", inputs=(relu.name,))
        return up, relu, pool, Node(node.name, Rescaling(one, -lift), (pool.name,), node.origin)

    notes = (f"{name}: pools values of both signs, shifted by its channels' least maximum" for name in signed)
    return graph.edit(change).noted(*notes)
