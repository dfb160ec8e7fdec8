"""Put a relay before what is multiplied, so that pieces do not connect to pieces.

An activation is K pieces of each value, and so is a square. Without neurons between, each of the ones has a
synapse to each of the others: K² for a value, or for each pixel that a factor is repeated to. With a relay they
are 2K.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kgenn.ir.graph import Graph, Node
from kgenn.layers.merge import Multiply
from kgenn.layers.relay import Relay
from kgenn.passes.inserted import unused
from kgenn.passes.options import LoweringOptions


def relay_factors(graph: Graph, options: LoweringOptions) -> Graph:
    """Insert a relay before each factor of a product that no neurons stand for."""
    made: dict[str, str] = {}

    def change(node: Node) -> Sequence[Node] | None:
        if not isinstance(node.layer, Multiply):
            return None
        relays = []
        for name in dict.fromkeys(node.inputs):
            source = graph.by_name.get(name)
            if source is None or source.layer.population or isinstance(source.layer, Relay) or name in made:
                continue
            taken = graph.by_name.keys() | set(made.values())
            relays.append(Node(unused(f"{name}/relay", taken), Relay(), (name,), source.origin))
            made[name] = relays[-1].name
        if not any(name in made for name in node.inputs):
            return None
        return *relays, replace(node, inputs=tuple(made.get(name, name) for name in node.inputs))

    return graph.edit(change)
