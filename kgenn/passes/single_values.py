"""Give single values an axis: populations have channels, and a value without an axis has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kgenn.ir.graph import Graph, Node
from kgenn.layers.shape import Reshape
from kgenn.passes.options import LoweringOptions


def give_single_values_an_axis(graph: Graph, options: LoweringOptions) -> Graph:
    """Let what takes the last axis away leave one of length 1: reshape(x, ()) = reshape(x, (1,))[0].

    Layers behind it compute each value by itself, and so keep the axis; `Naming.single_values` has the outputs.
    """

    def change(node: Node) -> Sequence[Node] | None:
        if not isinstance(node.layer, Reshape) or node.layer.shape != ():
            return None
        return (replace(node, layer=Reshape((1,))),)

    return graph.edit(change)
