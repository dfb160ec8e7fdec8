"""Write a softmax inside a network as exponentials and a logarithm, without a product.

    softmax(x)_i = exp(d_i − log Σ_j exp(d_j))        d_i = x_i − max x

The shift by the maximum changes nothing but the range: the exponentials lie in 0 … 1, and their sum in 1 … n,
where the logarithm is gentle. Nothing above 0 is raised, so that a margin beyond the values seen costs nothing.
Exponentials and the logarithm become pieces, the maximum is a max pooling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from kgenn.ir.graph import Graph, Layer, Node, Shape
from kgenn.layers.activation import Activation, Softmax
from kgenn.layers.dense import Dense
from kgenn.layers.merge import Subtract
from kgenn.layers.pooling import MaxPool
from kgenn.layers.relay import Relay
from kgenn.layers.shape import Permute, Reshape
from kgenn.passes.options import LoweringOptions


def expand_softmaxes(graph: Graph, options: LoweringOptions) -> Graph:
    """Write each softmax that is not left to the host."""

    def change(node: Node) -> Sequence[Node] | None:
        if not isinstance(node.layer, Softmax):
            return None
        return _expanded(node, node.layer, graph.shapes[node.name])

    return graph.edit(change)


def _expanded(node: Node, layer: Softmax, shape: Shape) -> list[Node]:
    made: list[Node] = []

    def add(word: str, new: Layer, *reads: str) -> str:
        made.append(Node(f"{node.name}/{word}", new, reads or (made[-1].name,), node.origin))
        return made[-1].name

    (x,) = node.inputs
    rank, axis = len(shape), layer.axis + len(shape)
    order = (*(a for a in range(rank) if a != axis), axis)
    if axis != rank - 1:
        x = add("last", Permute(order), x)
    rows, size = tuple(shape[a] for a in order[:-1]), shape[axis]
    x = add("relay", Relay(), x)
    add("rows", Reshape((prod(rows), size, 1)), x)
    add("largest", MaxPool((1, size), (1, size), "valid"))
    largest = add("column", Reshape((*rows, 1)))
    lowered = add("lowered", Subtract(), x, largest)
    add("powers", Activation("exponential_share"), lowered)
    add("sum", Dense(np.ones((size, 1), np.float32), None))
    logarithm = add("logarithm", Activation("log"))
    add("relative", Subtract(), lowered, logarithm)
    if not layer.is_log:
        add("share", Activation("exponential_share"))
    if axis != rank - 1:
        back = tuple(int(a) for a in np.argsort(order))
        return [*made, replace(node, layer=Permute(back), inputs=(made[-1].name,))]
    return [*made[:-1], replace(made[-1], name=node.name)]
