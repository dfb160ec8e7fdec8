"""Insert populations that the model has not."""

from __future__ import annotations

from collections.abc import Container
from itertools import chain, count

from kgenn.ir.graph import Node, Purpose
from kgenn.layers.activation import ReLU


def name_of(after: str, purpose: Purpose) -> str:
    """Return the name of a population that is inserted for the sake of a node."""
    return f"{after}/{purpose}"


def unused(name: str, taken: Container[str]) -> str:
    """Return a name for a node that is like `name` and not taken."""
    return next(n for n in chain([name], (f"{name}{number}" for number in count(2))) if n not in taken)


def inserted(after: Node, reads: str, purpose: Purpose) -> Node:
    """Return a ReLU that changes no value: a population for the sake of a node, which it names."""
    return Node(name_of(after.name, purpose), ReLU(), (reads,), after.origin, purpose)
