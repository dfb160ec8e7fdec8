"""Name the populations that passes insert, and tell them from the model's own ReLUs."""

from __future__ import annotations

from typing import Literal, get_args

from kgenn.ir.graph import Node
from kgenn.layers.activation import ReLU

Purpose = Literal["identity", "population", "source"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)


def inserted(after: Node, reads: str, purpose: Purpose) -> Node:
    """Return a ReLU that changes no value: a population for the sake of a node, which it names."""
    return Node(f"{after.name}/{purpose}", ReLU(), (reads,), after.origin)


def is_inserted(node: Node) -> bool:
    """Tell whether a node is a population that a pass inserted."""
    after, _, purpose = node.name.rpartition("/")
    return bool(after) and purpose in PURPOSES
