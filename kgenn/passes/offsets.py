"""Let neurons stand for values of both signs: two for each value of a relay, and shifted ones before a pooling.

    x = ReLU(x) − ReLU(−x)        max(x) = max(ReLU(x + c)) − c

The first holds for every x, and leaves all levels of a spike train to either sign. The second holds for any c
that lifts the maximum above zero: values that cannot win need not be lifted, so c only follows the least maximum
of each channel over the calibration set, with a margin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from kgenn.ir.graph import Array, Graph, Input, Node
from kgenn.layers.activation import ReLU
from kgenn.layers.affine import plus
from kgenn.layers.pooling import MaxPool
from kgenn.layers.populations import is_population
from kgenn.layers.relay import Relay
from kgenn.passes.straight import signed
from kgenn.passes.values import NodeValues

# Where neurons can pool an input itself: it may send no spikes, or some of both signs, where padding is no zero.
PooledInput = Literal["always", "unpadded", "never"]
# That of each input, by its name.
PooledInputs = Mapping[str, PooledInput]
# Of the range of a channel, below the least of its values.
MARGIN = 0.1


def signed_pools(graph: Graph, pooled_inputs: PooledInputs) -> tuple[str, ...]:
    """Return the max poolings of a lowered graph that read no population: their values can have both signs.

    Args:
        pooled_inputs: where neurons can pool each input itself.
    """
    pools = (node for node in graph.nodes if isinstance(node.layer, MaxPool))
    return tuple(pool.name for pool in pools if not _is_direct(graph, pool, pooled_inputs))


def _is_direct(graph: Graph, pool: Node, pooled_inputs: PooledInputs) -> bool:
    """Tell whether neurons can pool what a max pooling reads."""
    source, layer = graph.by_name[pool.inputs[0]], pool.layer
    pooled = pooled_inputs[source.name] if isinstance(source.layer, Input) else "always"
    if pooled == "always":
        return is_population(source)
    assert isinstance(layer, MaxPool)
    return pooled == "unpadded" and not any(map(any, layer.pads(graph.shapes[source.name][:-1])))


def shift_signed(graph: Graph, values: Mapping[str, NodeValues], pooled_inputs: PooledInputs) -> Graph:
    """Return a graph whose max poolings read populations, and whose relays are populations.

    Args:
        values: of each node in `signed_pools`, by its name.
        pooled_inputs: see there.
    """
    pools = signed_pools(graph, pooled_inputs)

    def change(node: Node) -> Sequence[Node] | None:
        if isinstance(node.layer, Relay):
            return signed(node, graph.shapes[node.name][-1])
        if node.name not in pools:
            return None
        seen = values[node.name]
        lift = np.maximum(0, -seen.low + MARGIN * (seen.high - seen.low)).astype(np.float32)
        up = _shifted(node, f"{node.name}/lift", lift, node.inputs[0])
        relu = Node(f"{node.name}/source", ReLU(), (up.name,), node.origin, "source")
        pool = replace(node, name=f"{node.name}/maximum", inputs=(relu.name,))
        return up, relu, pool, _shifted(node, node.name, -lift, pool.name)

    notes = (f"{name}: pools values of both signs, shifted by its channels' least maximum" for name in pools)
    return graph.edit(change).noted(*notes)


def _shifted(node: Node, name: str, shift: Array, reads: str) -> Node:
    return Node(name, plus(shift), (reads,), node.origin)
