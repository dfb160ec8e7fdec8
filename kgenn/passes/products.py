"""Write products as squares, which neurons have in pieces.

    x·y = ((αx + y/α)² − (αx − y/α)²)/4

holds for every α. The values of both squares lie in a range of α·|x| + |y|/α, the narrowest for α = √(|y|/|x|),
with |x| and |y| the ranges of the factors. Pieces are fitted in that range, so that α is chosen for each channel
from the values of the calibration set.

Where both factors are repeated to the shape of the product, as in the products of all rows with all columns, one
square is enough:

    x·y = ((αx + y/α)² − (αx)² − (y/α)²)/2

since the other two are taken before values are repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from kgenn.ir.graph import Array, Graph, Layer, Node, Shape
from kgenn.layers.activation import Activation
from kgenn.layers.affine import times
from kgenn.layers.merge import Add, Multiply
from kgenn.layers.shape import Broadcast
from kgenn.passes.values import NodeValues

SQUARE = Activation("square")
# The range of a factor is at least this share of its largest value. Spikes say the factor with an error that is a
# share ε of that value, in which the squares must not leave their pieces. The squares add an error of at most this
# share of what ε makes of the product anyway.
NARROWEST = 1 / 8


def factors(graph: Graph) -> frozenset[str]:
    """Return the nodes whose values `squared` needs: those that are multiplied by each other."""
    products = (node for node in graph.nodes if isinstance(node.layer, Multiply))
    return frozenset(name for node in products for name in node.inputs)


def squared(graph: Graph, values: Mapping[str, NodeValues]) -> Graph:
    """Return a graph with squares in place of each product of two.

    Args:
        values: of each node in `factors`, by its name.
    """

    def change(node: Node) -> Sequence[Node] | None:
        if not isinstance(node.layer, Multiply):
            return None
        x, y = node.inputs
        shapes, shape = (graph.shapes[x], graph.shapes[y]), graph.shapes[node.name]
        balance = _balance(values[x], values[y], all(own[-1:] == shape[-1:] for own in shapes))
        return _Product(node, shapes, shape, balance).nodes()

    return graph.edit(change)


def _balance(x: NodeValues, y: NodeValues, alike: bool) -> Array:
    """Return α for each channel, or one for all where the factors' channels are not alike."""

    def widths(seen: NodeValues) -> Array:
        width = seen.high - seen.low
        if not alike:
            width = width.max(keepdims=True)
        least = max(float(width.max()), float(np.abs([seen.low, seen.high]).max())) * NARROWEST
        wide: Array = np.maximum(width, max(least, 1e-12))
        return wide

    balance: Array = np.sqrt(widths(y) / widths(x))
    return balance.astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Product:
    """Nodes in the making, in place of the product of two values x and y.

    Attributes:
        shapes: of the factors.
        shape: of the product.
        balance: α, shape (channels or 1,).
    """

    node: Node
    shapes: tuple[Shape, Shape]
    shape: Shape
    balance: Array

    def nodes(self) -> list[Node]:
        """Return the nodes; the last one has the name of the product."""
        x, y = self._node("x", times(self.balance), 0), self._node("y", times(1 / self.balance), 1)
        wide = [self._repeated(factor, own) for factor, own in zip((x, y), self.shapes, strict=True)]
        made = [x, y, *(each for each in wide if each not in (x, y))]
        if sum(map(prod, self.shapes)) < prod(self.shape):
            terms = [(wide, 0.5), ([x], -0.5), ([y], -0.5)]
        else:
            minus = self._node("minus", times(-1.0), wide[1])
            made.append(minus)
            terms = [(wide, 0.25), ([wide[0], minus], -0.25)]
        ends = []
        for number, (parts, share) in enumerate(terms):
            made += self._square(f"square{number}", parts, share)
            ends.append(made[-1].name)
        return [*made, replace(self.node, layer=Add(), inputs=tuple(ends))]

    def _repeated(self, factor: Node, own: Shape) -> Node:
        """Return a factor in the shape of the product."""
        return (
            factor if own == self.shape else self._node(f"{_word(factor)}/repeated", Broadcast(self.shape), factor)
        )

    def _square(self, word: str, parts: Sequence[Node], share: float) -> list[Node]:
        """Return the nodes of a share of the square of a sum."""
        made = [] if len(parts) == 1 else [self._node(f"{word}/sum", Add(), *parts)]
        square = self._node(word, SQUARE, (made or parts)[-1])
        return [*made, square, self._node(f"{word}/share", times(share), square)]

    def _node(self, word: str, layer: Layer, *reads: Node | int) -> Node:
        """Return a node of the product that reads others, or a factor of that number."""
        names = tuple(self.node.inputs[each] if isinstance(each, int) else each.name for each in reads)
        return Node(f"{self.node.name}/{word}", layer, names, self.node.origin)


def _word(node: Node) -> str:
    return node.name.rpartition("/")[2]
