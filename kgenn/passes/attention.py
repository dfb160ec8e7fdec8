"""Write attention as products of values, sums and a softmax.

The scores of attention are products of rows, see `kgenn.passes.contractions`, or sums of hyperbolic tangents. A
softmax makes weights of them, and the weights are multiplied with values.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kgenn.ir.graph import Graph, Layer, Node, Shape
from kgenn.layers.activation import Activation, Softmax
from kgenn.layers.affine import times
from kgenn.layers.along import Take
from kgenn.layers.attention import (
    AdditiveAttention,
    Attention,
    AttentionRows,
    MaskedSoftmax,
    Projection,
    causal_mask,
)
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
        names, kinds = layer.roles(self.node.inputs), layer.rows(*shapes)
        query, value, key = (
            self.headed(word, part, name, rows)
            for word, part, name, rows in zip(
                ("query", "value", "key"), (layer.query, layer.value, layer.key), names, kinds, strict=True
            )
        )
        scores = self.add("query/scaled", times(np.full(1, layer.scale, np.float32)), query[0])
        self.products("scores", scores, key[0], query[1], key[1])
        self.mixed("scores", query[1][1], *value, causal=layer.causal)
        return self.joined(layer, value[1][2], kinds[0])

    def joined(self, layer: Attention, size: int, rows: AttentionRows) -> list[Node]:
        """Return all nodes, the last of which project the heads, in the order of the query's axes.

        Args:
            size: channels of a head.
            rows: those of the query.
        """
        others, count, _ = rows.matrix
        heads = 1 if layer.query is None else layer.query.kernel.shape[1]
        self.add("apart", Reshape((others, heads, count, size)))
        self.add("rows", Permute((0, 2, 1, 3)))
        ends: list[Layer] = [Reshape((*(rows.shape[axis] for axis in rows.order[:-1]), heads * size))]
        if layer.output is not None:
            ends.append(Dense(layer.output.kernel.reshape(heads * size, -1), layer.output.bias))
        if not rows.is_plain:
            ends.append(Permute(tuple(int(place) for place in np.argsort(rows.order))))
        for word, end in zip(("joined", "output"), ends[:-1], strict=False):
            self.add(word, end)
        return self.done(ends[-1])

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
        self.mixed("scores", count, *self.headed("value", None, names[1], AttentionRows(value, (0,))))
        return self.done(Reshape((count, value[1])))

    def mixed(self, scores: str, rows: int, value: str, shape: Shape, causal: bool = False) -> None:
        """Add the averages of values of shape (heads, count, D), with the softmax of scores as their weights.

        Where row i sees the columns up to i alone, a score beyond them becomes that of column i: the largest of a
        row is then one that counts, and the mask leaves the copies out of the sum.

        Args:
            scores: the word of their node.
        """
        heads, count, size = shape
        softmax: Layer = Softmax()
        if causal:
            seen = np.minimum(np.arange(count), np.arange(rows)[:, None]) + count * np.arange(rows)[:, None]
            self.add(f"{scores}/flat", Reshape((heads, rows * count)))
            self.add(f"{scores}/seen", Take(seen.ravel(), -1))
            scores = f"{scores}/causal"
            self.add(scores, Reshape((heads, rows, count)))
            softmax = MaskedSoftmax(causal_mask(rows, count))
        weights = self.add("weights", softmax, f"{self.node.name}/{scores}")
        columns = self.add("value/columns", Permute((0, 2, 1)), value)
        self.products("mixed", weights, columns, (heads, rows, count), (heads, size, count))

    def headed(self, word: str, part: Projection | None, name: str, rows: AttentionRows) -> tuple[str, Shape]:
        """Add the projection of an input to heads; return its node, and its shape (others · heads, rows, D)."""
        others, count, width = rows.matrix
        if not rows.is_plain:
            self.add(f"{word}/order", Permute(rows.order), name)
            name = self.add(f"{word}/matrix", Reshape(rows.matrix))
        if part is None:
            whole = (others, count, width)
            return self.add(word, Relay(), self.add(f"{word}/head", Reshape(whole), name)), whole
        _, heads, size = part.kernel.shape
        bias = None if part.bias is None else part.bias.reshape(-1)
        self.add(f"{word}/dense", Dense(part.kernel.reshape(width, -1), bias), name)
        self.add(f"{word}/heads", Reshape((others, count, heads, size)))
        self.add(f"{word}/turned", Permute((0, 2, 1, 3)))
        self.add(f"{word}/rows", Reshape((others * heads, count, size)))
        return self.add(word, Relay()), (others * heads, count, size)
