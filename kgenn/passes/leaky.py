"""Write a ReLU with a slope below zero as two ReLUs, which is exact.

With α the slope, and c the cap where there is one::

    f(x) = ReLU(x) − α·ReLU(−x),    min(f(x), c) = ReLU_c(x) − α·ReLU(−x)

Both are one population of twice the channels, or two where only one of them is capped.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kgenn.ir.graph import Graph, Node
from kgenn.layers.activation import ReLU
from kgenn.layers.affine import Rescaling
from kgenn.layers.merge import Add
from kgenn.layers.pointwise import Pointwise
from kgenn.passes.options import LoweringOptions


def split_leaky_relus(graph: Graph, options: LoweringOptions) -> Graph:
    """Write each ReLU with a slope, and no threshold, as a sum of plain ones."""

    def change(node: Node) -> Sequence[Node] | None:
        layer = node.layer
        if not isinstance(layer, ReLU) or not layer.negative_slope or layer.threshold:
            return None
        if layer.max_value is not None:
            return _apart(node, layer)
        channels = graph.shapes[node.name][-1]
        signs = np.tile(np.array([1.0, -1.0], np.float32), (channels, 1, 1))
        slopes = np.tile(np.array([[1.0], [-layer.negative_slope]], np.float32), (channels, 1, 1))
        both = Node(f"{node.name}/signs", Pointwise(signs), node.inputs, node.origin)
        relu = Node(f"{node.name}/pieces", ReLU(), (both.name,), node.origin)
        return both, relu, Node(node.name, Pointwise(slopes), (relu.name,), node.origin)

    return graph.edit(change)


def _apart(node: Node, layer: ReLU) -> Sequence[Node]:
    """Return the two ReLUs as two populations."""

    def times(name: str, factor: float, reads: tuple[str, ...]) -> Node:
        scale = Rescaling(np.full(1, factor, np.float32), np.zeros(1, np.float32))
        return Node(f"{node.name}/{name}", scale, reads, node.origin)

    above = Node(f"{node.name}/above", ReLU(layer.max_value), node.inputs, node.origin)
    mirrored = times("mirrored", -1.0, node.inputs)
    below = Node(f"{node.name}/below", ReLU(), (mirrored.name,), node.origin)
    scaled = times("slope", -layer.negative_slope, (below.name,))
    return above, mirrored, below, scaled, Node(node.name, Add(), (above.name, scaled.name), node.origin)
