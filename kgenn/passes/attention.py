"""Write attention as products of values, sums and a softmax.

The scores of attention are products of rows, see `kgenn.passes.contractions`, or sums of hyperbolic tangents. A
softmax makes weights of them, and the weights are multiplied with values.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kgenn.ir.graph import Graph, Node, Shape
from kgenn.layers.activation import Activation, Softmax
from kgenn.layers.affine import times
from kgenn.layers.attention import AdditiveAttention, Attention, Projection
from kgenn.layers.dense import Dense
from kgenn.layers.merge import Add
from kgenn.layers.relay import Relay
from kgenn.layers.shape import Permute, Reshape
from kgenn.passes.contractions import Products
from kgenn.passes.options import LoweringOptions


def expand_attention(graph: Graph, options: LoweringOptions) -> Graph:
    """Write each attention as what other passes know."""

    def change(node: Node) -> Sequence[Node] | None:
        shapes = tuple(graph.shapes[name] for name in node.inputs)
        match node.layer:
            case Attention():
                return _AttentionProducts(node).attention(node.layer, shapes)
            case AdditiveAttention():
                return _AttentionProducts(node).additive(node.layer, shapes)
        return None

    return graph.edit(change)


class _AttentionProducts(Products):
    """The nodes of an attention."""

    def attention(self, layer: Attention, shapes: tuple[Shape, ...]) -> list[Node]:
        """Return the nodes of an attention."""
        names, given = (*self.node.inputs, self.node.inputs[1])[:3], (*shapes, shapes[1])[:3]
        query, value, key = (
            self.headed(word, part, name, shape)
            for word, part, name, shape in zip(
                ("query", "value", "key"), (layer.query, layer.value, layer.key), names, given, strict=True
            )
        )
        scores = self.add("query/scaled", times(np.full(1, layer.scale, np.float32)), query[0])
        self.products("scores", scores, key[0], query[1], key[1])
        self.mixed("scores", query[1][1], *value)
        heads, _, size = value[1]
        self.add("rows", Permute((1, 0, 2)))
        rows = Reshape((query[1][1], heads * size))
        if layer.output is None:
            return self.done(rows)
        self.add("joined", rows)
        kernel = layer.output.kernel.reshape(heads * size, -1)
        return self.done(Dense(kernel, layer.output.bias))

    def additive(self, layer: AdditiveAttention, shapes: tuple[Shape, ...]) -> list[Node]:
        """Return the nodes of an additive attention."""
        names, given = (*self.node.inputs, self.node.inputs[1])[:3], (*shapes, shapes[1])[:3]
        (count, width), value, (length, _) = given
        query = self.add("query/rows", Reshape((count, 1, width)), names[0])
        key = self.add("key/columns", Reshape((1, length, width)), names[2])
        self.add("sums", Add(), query, key)
        if layer.gain != 1:
            self.add("sums/scaled", times(np.full(1, layer.gain, np.float32)))
        self.add("bent", Activation("tanh"))
        self.add("scores/column", Dense(layer.weights[:, None], None))
        self.add("scores", Reshape((1, count, length)))
        self.mixed("scores", count, *self.headed("value", None, names[1], value))
        return self.done(Reshape((count, value[1])))

    def mixed(self, scores: str, rows: int, value: str, shape: Shape) -> None:
        """Add the averages of values of shape (heads, count, D), with the softmax of scores as their weights.

        Args:
            scores: the word of their node.
        """
        heads, count, size = shape
        weights = self.add("weights", Softmax(), f"{self.node.name}/{scores}")
        columns = self.add("value/columns", Permute((0, 2, 1)), value)
        self.products("mixed", weights, columns, (heads, rows, count), (heads, size, count))

    def headed(self, word: str, part: Projection | None, name: str, shape: Shape) -> tuple[str, Shape]:
        """Add the projection of an input to heads; return its node, and its shape (heads, rows, D)."""
        if part is None:
            new = (1, *shape)
            return self.add(word, Relay(), self.add(f"{word}/head", Reshape(new), name)), new
        width, heads, size = part.kernel.shape
        bias = None if part.bias is None else part.bias.reshape(-1)
        self.add(f"{word}/dense", Dense(part.kernel.reshape(width, -1), bias), name)
        self.add(f"{word}/heads", Reshape((shape[0], heads, size)))
        self.add(f"{word}/order", Permute((1, 0, 2)))
        return self.add(word, Relay()), (heads, shape[0], size)
