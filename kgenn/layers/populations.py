"""Which nodes of a lowered graph become neurons."""

from __future__ import annotations

from kgenn.ir.graph import Node


def is_population(node: Node) -> bool:
    """Tell whether a node of a lowered graph becomes neurons."""
    return node.layer.population
