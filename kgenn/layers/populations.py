"""Which nodes of a lowered graph become neurons."""

from __future__ import annotations

from kgenn.ir.graph import Input, Node
from kgenn.layers.activation import ReLU
from kgenn.layers.pooling import MaxPool


def is_population(node: Node) -> bool:
    """Tell whether a node of a lowered graph becomes neurons."""
    return isinstance(node.layer, Input | ReLU | MaxPool)
