"""Name the populations that passes insert, and tell them from the model's own ReLUs."""

from __future__ import annotations

from typing import Literal, get_args

from kgenn.ir.graph import Node
from kgenn.layers.activation import ReLU

Purpose = Literal["identity", "population", "source", "readout"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)


def name_of(after: str, purpose: Purpose) -> str:
    """Return the name of a population that is inserted for the sake of a node."""
    return f"{after}/{purpose}"


def purpose_of(name: str) -> Purpose | None:
    """Return what a population was inserted for; None where it is the model's own."""
    after, _, last = name.rpartition("/")
    return next((purpose for purpose in PURPOSES if after and purpose == last), None)


def inserted(after: Node, reads: str, purpose: Purpose) -> Node:
    """Return a ReLU that changes no value: a population for the sake of a node, which it names."""
    return Node(name_of(after.name, purpose), ReLU(), (reads,), after.origin)


def is_inserted(node: Node) -> bool:
    """Tell whether a node is a population that a pass inserted."""
    return purpose_of(node.name) is not None
