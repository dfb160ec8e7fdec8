"""Write products of tensors that are summed along axes as products of values and sums.

    y_hij = Σ_d x_hid · z_hjd

is a product of x and z, both repeated to shape (h, i, j, d), and the sum of its last axis, which is a Dense layer.
Every Einstein sum of two tensors is that: h are the axes that both have and the sum keeps, d those that both have
and the sum does not keep, i and j the others. An axis of one tensor alone that the sum does not keep is added up
first.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from kgenn.ir.graph import Graph, Node, Shape
from kgenn.layers.dense import Dense
from kgenn.layers.einsum import Einsum
from kgenn.layers.merge import Dot, Multiply
from kgenn.layers.normalise import Standardise
from kgenn.layers.shape import Broadcast, Permute, Reshape
from kgenn.passes.chains import Chain
from kgenn.passes.options import LoweringOptions


def expand_contractions(graph: Graph, options: LoweringOptions) -> Graph:
    """Write each product of two tensors that is summed along axes as what other passes know."""

    def change(node: Node) -> Sequence[Node] | None:
        shapes = tuple(graph.shapes[name] for name in node.inputs)
        match node.layer:
            case Einsum():
                return _EinsumProducts(node).nodes(node.layer, shapes)
            case Dot():
                return _DotProducts(node).nodes(node.layer, shapes, graph.shapes[node.name])
        return None

    return graph.edit(change)


class Products(Chain):
    """Nodes that multiply the rows of one tensor by those of another."""

    def products(self, word: str, x: str, z: str, rows: Shape, columns: Shape) -> None:
        """Add Σ_d x_id · z_jd of values of shapes (h, i, d) and (h, j, d); the result has shape (h, i, j)."""
        heads, count, size = rows
        x = self.add(f"{word}/rows", Reshape((heads, count, 1, size)), x)
        z = self.add(f"{word}/columns", Reshape((heads, 1, columns[1], size)), z)
        self.add(f"{word}/products", Multiply(), x, z)
        self.add(f"{word}/sums", Dense(np.ones((size, 1), np.float32), None))
        self.add(word, Reshape((heads, count, columns[1])))


class _EinsumProducts(Products):
    """The nodes of an Einstein sum."""

    def nodes(self, layer: Einsum, shapes: tuple[Shape, ...]) -> list[Node]:
        """Return the nodes, both tensors brought to (shared, rows, what is summed over)."""
        sizes, both = layer.sizes(*shapes), [a for a in layer.first if a in layer.second]
        shared, summed = ([a for a in both if (a in layer.output) == kept] for kept in (True, False))
        ends: list[tuple[str, Shape]] = []
        order = list(shared)
        for word, name, labels, shape in zip(
            "xz", self.node.inputs, (layer.first, layer.second), shapes, strict=True
        ):
            rows = [a for a in labels if a in layer.output and a not in shared]
            alone = [a for a in labels if a not in layer.output and a not in summed]
            whole = tuple(sizes[a] for a in labels)
            if whole != shape:
                name = self.add(f"{word}/whole", Broadcast(whole), name)
            axes = tuple(labels.index(a) for a in (*shared, *rows, *summed, *alone))
            counts = tuple(prod(sizes[a] for a in part) for part in (shared, rows, summed, alone))
            ends.append((self.matrix(word, self.add(f"{word}/order", Permute(axes), name), counts), counts[:3]))
            order += rows
        (x, first), (z, second) = ends
        self.products("sums", x, z, first, second)
        self.add("apart", Reshape(tuple(sizes[a] for a in order)))
        return self.done(Permute(tuple(order.index(a) for a in layer.output)))

    def matrix(self, word: str, name: str, counts: Shape) -> str:
        """Add a tensor as matrices of shape (shared, rows, summed), of one with a fourth axis that is added up."""
        *kept, alone = counts
        if alone > 1:
            self.add(f"{word}/parts", Reshape(counts), name)
            name = self.add(f"{word}/alone", Dense(np.ones((alone, 1), np.float32), None))
        return self.add(f"{word}/matrix", Reshape(tuple(kept)), name)


class _DotProducts(Products):
    """The nodes of a product of matrices."""

    def nodes(self, layer: Dot, shapes: tuple[Shape, ...], shape: Shape) -> list[Node]:
        """Return the nodes of a product of matrices, both brought to (1, rows, what is summed over)."""
        ends: list[tuple[str, Shape]] = []
        for word, name, own, axis in zip("xz", self.node.inputs, shapes, layer.axes, strict=True):
            order = (*(a for a in range(len(own)) if a != axis), axis)
            size = own[axis]
            matrix = (1, int(np.prod(own)) // size, size)
            name = self.add(f"{word}/last", Permute(order), name)
            name = self.add(f"{word}/matrix", Reshape(matrix), name)
            if layer.normalize:
                unit = Standardise(matrix, (2,), 1e-12, centred=False, total=True, least=True)
                name = self.add(f"{word}/unit", unit, name)
            ends.append((name, matrix))
        (x, rows), (z, columns) = ends
        self.products("sums", x, z, rows, columns)
        return self.done(Reshape(shape))
