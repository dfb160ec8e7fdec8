"""Let neurons pool values of both signs: shift them above zero, pool, and shift back.

max(x) = max(ReLU(x + c)) − c for any c that lifts the maximum above zero. Values that cannot win need not be
lifted, so c only follows the least maximum of each channel over the calibration set, with a margin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from kgenn.ir.graph import Graph, Input, Node
from kgenn.layers.activation import ReLU
from kgenn.layers.affine import Rescaling
from kgenn.layers.pooling import MaxPool
from kgenn.layers.populations import is_population
from kgenn.passes.values import Values

# Where neurons can pool the input itself: it may send no spikes, or some of both signs, where padding is no zero.
PooledInput = Literal["always", "unpadded", "never"]
# Of the range of a channel's maxima, below the least of them.
MARGIN = 0.1


def signed_pools(graph: Graph, pooled_input: PooledInput) -> tuple[str, ...]:
    """Return the max poolings of a lowered graph that read no population: their values can have both signs.

    Args:
        pooled_input: where neurons can pool the input itself.
    """
    pools = (node for node in graph.nodes if isinstance(node.layer, MaxPool))
    return tuple(pool.name for pool in pools if not _is_direct(graph, pool, pooled_input))


def _is_direct(graph: Graph, pool: Node, pooled_input: PooledInput) -> bool:
    """Tell whether neurons can pool what a max pooling reads."""
    source, layer = graph.by_name[pool.inputs[0]], pool.layer
    if not isinstance(source.layer, Input) or pooled_input == "always":
        return is_population(source)
    assert isinstance(layer, MaxPool)
    return pooled_input == "unpadded" and not any(map(any, layer.pads(graph.shapes[source.name][:-1])))


def shift_signed_pools(graph: Graph, values: Mapping[str, Values], pooled_input: PooledInput) -> Graph:
    """Return a graph whose max poolings read populations.

    Args:
        values: of each pooling in `signed_pools`, by its name.
        pooled_input: see there.
    """
    signed = signed_pools(graph, pooled_input)

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
