"""Write a quotient of two values as the product of the first with the reciprocal of the second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kgenn.ir.graph import Graph, Node
from kgenn.layers.activation import Activation
from kgenn.layers.merge import Divide, Multiply
from kgenn.passes.inserted import unused
from kgenn.passes.options import LoweringOptions


def divide_by_multiplying(graph: Graph, options: LoweringOptions) -> Graph:
    """Write x / y as x · (1 / y); both are pieces and squares later."""

    def change(node: Node) -> Sequence[Node] | None:
        if not isinstance(node.layer, Divide):
            return None
        first, second = node.inputs
        name = unused(f"{node.name}/reciprocal", graph.by_name)
        below = Node(name, Activation("reciprocal"), (second,), node.origin)
        return below, replace(node, layer=Multiply(), inputs=(first, below.name))

    return graph.edit(change)
