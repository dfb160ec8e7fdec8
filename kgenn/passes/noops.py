"""Drop layers that do nothing at inference."""

from __future__ import annotations

from kgenn.ir.graph import Graph, Node
from kgenn.layers.activation import Identity
from kgenn.passes.options import LoweringOptions


def drop_identities(graph: Graph, options: LoweringOptions) -> Graph:
    """Let the consumers of dropout, noise and linear activations read what these read."""

    def change(node: Node) -> str | None:
        return node.inputs[0] if isinstance(node.layer, Identity) else None

    return graph.edit(change)
