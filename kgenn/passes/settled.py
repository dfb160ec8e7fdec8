"""Repeat a change until there is nothing left to change."""

from __future__ import annotations

from collections.abc import Callable

from kgenn.ir.graph import Graph


def settled(graph: Graph, change: Callable[[Graph], Graph]) -> Graph:
    """Return the graph after as many changes as there are.

    Args:
        change: returns the graph itself where there is none left.
    """
    while (after := change(graph)) is not graph:
        graph = after
    return graph
