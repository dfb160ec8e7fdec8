"""Write attention, and products of matrices, as products of values and sums.

    y_ij = Σ_d x_id · z_jd

is a product of x and z, both repeated to shape (i, j, d), and the sum of its last axis, which is a Dense layer.
The scores of attention are such products, a softmax makes weights of them, and the weights are multiplied with
values.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kgenn.ir.graph import Graph, Node, Shape
from kgenn.layers.activation import Softmax
from kgenn.layers.affine import times
from kgenn.layers.attention import Attention, Projection
from kgenn.layers.dense import Dense
from kgenn.layers.merge import Dot, Multiply
from kgenn.layers.normalise import Standardise
from kgenn.layers.relay import Relay
from kgenn.layers.shape import Permute, Reshape
from kgenn.passes.chains import Chain
from kgenn.passes.options import LoweringOptions


def expand_attention(graph: Graph, options: LoweringOptions) -> Graph:
    """Write each attention and each product of matrices as what other passes know."""

    def change(node: Node) -> Sequence[Node] | None:
        shapes = tuple(graph.shapes[name] for name in node.inputs)
        match node.layer:
            case Attention():
                return _Products(node).attention(node.layer, shapes)
            case Dot():
                return _Products(node).dot(node.layer, shapes, graph.shapes[node.name])
        return None

    return graph.edit(change)


class _Products(Chain):
    """The nodes of an attention, or of a product of matrices."""

    def products(self, word: str, x: str, z: str, rows: Shape, columns: Shape) -> None:
        """Add Σ_d x_id · z_jd of values of shapes (h, i, d) and (h, j, d); the result has shape (h, i, j)."""
        heads, count, size = rows
        x = self.add(f"{word}/rows", Reshape((heads, count, 1, size)), x)
        z = self.add(f"{word}/columns", Reshape((heads, 1, columns[1], size)), z)
        self.add(f"{word}/products", Multiply(), x, z)
        self.add(f"{word}/sums", Dense(np.ones((size, 1), np.float32), None))
        self.add(word, Reshape((heads, count, columns[1])))

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
        weights = self.add("weights", Softmax())
        heads, count, size = value[1]
        columns = self.add("value/columns", Permute((0, 2, 1)), value[0])
        self.products("mixed", weights, columns, (heads, query[1][1], count), (heads, size, count))
        self.add("rows", Permute((1, 0, 2)))
        rows = Reshape((query[1][1], heads * size))
        if layer.output is None:
            return self.done(rows)
        self.add("joined", rows)
        kernel = layer.output.kernel.reshape(heads * size, -1)
        return self.done(Dense(kernel, layer.output.bias))

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

    def dot(self, layer: Dot, shapes: tuple[Shape, ...], shape: Shape) -> list[Node]:
        """Return the nodes of a product of matrices, both brought to (1, rows, what is summed over)."""
        ends: list[tuple[str, Shape]] = []
        for word, name, own, axis in zip("xz", self.node.inputs, shapes, layer.axes, strict=True):
            order = (*(a for a in range(len(own)) if a != axis), axis)
            size = own[axis]
            matrix = (1, int(np.prod(own)) // size, size)
            name = self.add(f"{word}/last", Permute(order), name)
            name = self.add(f"{word}/matrix", Reshape(matrix), name)
            if layer.normalize:
                unit = Standardise(matrix, (2,), 1e-12, centred=False, total=True)
                name = self.add(f"{word}/unit", unit, name)
            ends.append((name, matrix))
        (x, rows), (z, columns) = ends
        self.products("sums", x, z, rows, columns)
        return self.done(Reshape(shape))
