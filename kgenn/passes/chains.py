"""Nodes in the making, in place of one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from kgenn.ir.graph import Layer, Node


@dataclass(eq=False)
class Chain:
    """Nodes that are to stand for one, whose name they begin with and whose Keras layer they come from."""

    node: Node
    made: list[Node] = field(default_factory=list)

    def add(self, word: str, layer: Layer, *reads: str) -> str:
        """Add a node, which reads the last one if it is not told what; return its name."""
        name = f"{self.node.name}/{word}"
        self.made.append(Node(name, layer, reads or (self.made[-1].name,), self.node.origin))
        return name

    def done(self, layer: Layer, *reads: str) -> list[Node]:
        """Return the nodes, the last of them a layer with the name of the old one."""
        return [*self.made, replace(self.node, layer=layer, inputs=reads or (self.made[-1].name,))]
