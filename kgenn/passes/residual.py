"""Put a spiking identity population after each residual sum, where the user asks for it."""

from __future__ import annotations

from collections.abc import Sequence

from kgenn.ir.graph import Graph, Node
from kgenn.layers.activation import ReLU
from kgenn.layers.merge import Add
from kgenn.passes.inserted import inserted
from kgenn.passes.options import LoweringOptions
from kgenn.passes.signs import non_negative


def insert_identity_populations(graph: Graph, options: LoweringOptions) -> Graph:
    """With `residual="identity"`, insert a ReLU after each Add that none follows.

    The sum of non-negative branches is its own ReLU, so that the function stays; the ReLU becomes a
    population with an identity connection from each branch and one threshold for both. Declines where a
    branch can be negative.

    Source: Sengupta et al. 2019, doi:10.3389/fnins.2019.00095, section 3.3.
    """
    if options.residual == "direct":
        return graph
    positive = non_negative(graph)
    notes: list[str] = []

    def change(node: Node) -> Sequence[Node] | None:
        followed = [isinstance(graph.by_name[c].layer, ReLU) for c in graph.consumers[node.name]]
        if not isinstance(node.layer, Add) or (followed and all(followed)):
            return None
        if node.name not in positive:
            notes.append(f"{node.name}: no identity population, since a branch can be negative")
            return None
        return node, inserted(node, node.name, "identity")

    return graph.edit(change).noted(*notes)
