"""Write a softmax inside a network as exponentials and a logarithm, without a product.

    softmax(x)_i = exp(d_i − log Σ_j exp(d_j))        d_i = x_i − max x

The shift by the maximum changes nothing but the range: the exponentials lie in 0 … 1, and their sum in 1 … n,
where the logarithm is gentle. Nothing above 0 is raised, so that a margin beyond the values seen costs nothing.
Exponentials and the logarithm become pieces, the maximum is a max pooling. Of a masked softmax the values that do
not count leave the sum, and their shares are 0; they must be no larger than the largest that counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from kgenn.ir.graph import Graph, Layer, Node, Shape
from kgenn.layers.activation import Activation, LogSumExp, Softmax
from kgenn.layers.affine import Rescaling
from kgenn.layers.attention import MaskedSoftmax
from kgenn.layers.dense import Dense
from kgenn.layers.merge import Add, Subtract
from kgenn.layers.pooling import MaxPool
from kgenn.layers.relay import Relay
from kgenn.layers.shape import Permute, Reshape
from kgenn.passes.chains import Chain
from kgenn.passes.options import LoweringOptions

SHARE = Activation("exponential_share")


def expand_softmaxes(graph: Graph, options: LoweringOptions) -> Graph:
    """Write each softmax that is not left to the host, and each logarithm of a sum of exponentials."""

    def change(node: Node) -> Sequence[Node] | None:
        if isinstance(node.layer, LogSumExp):
            chain = Chain(node)
            largest, _, logarithm = _logarithm(chain, node.inputs[0], graph.shapes[node.inputs[0]])
            return chain.done(Add(), largest, logarithm)
        if isinstance(node.layer, MaskedSoftmax):
            return _masked(node, node.layer, graph.shapes[node.name])
        if not isinstance(node.layer, Softmax):
            return None
        return _expanded(node, node.layer, graph.shapes[node.name])

    return graph.edit(change)


def _expanded(node: Node, layer: Softmax, shape: Shape) -> list[Node]:
    chain, (x,) = Chain(node), node.inputs
    rank, axis = len(shape), layer.axis + len(shape)
    order = (*(a for a in range(rank) if a != axis), axis)
    last = axis == rank - 1
    if not last:
        x = chain.add("last", Permute(order), x)
    _, *ends = _logarithm(chain, x, tuple(shape[a] for a in order))
    if last and layer.is_log:
        return chain.done(Subtract(), *ends)
    chain.add("relative", Subtract(), *ends)
    if last:
        return chain.done(SHARE)
    if not layer.is_log:
        chain.add("share", SHARE)
    return chain.done(Permute(tuple(int(a) for a in np.argsort(order))))


def _masked(node: Node, layer: MaskedSoftmax, shape: Shape) -> list[Node]:
    chain = Chain(node)
    mask = Rescaling(layer.mask, np.asarray(0.0))
    _, *ends = _logarithm(chain, node.inputs[0], shape, mask)
    chain.add("relative", Subtract(), *ends)
    chain.add("share", SHARE)
    return chain.done(mask)


def _logarithm(chain: Chain, x: str, shape: Shape, mask: Layer | None = None) -> tuple[str, str, str]:
    """Add log Σ exp(x − max x) along the last axis; return max x, x − max x and the logarithm.

    Args:
        mask: multiplies the exponentials.
    """
    *rows, size = shape
    x = chain.add("relay", Relay(), x)
    chain.add("rows", Reshape((prod(rows), size, 1)), x)
    chain.add("largest", MaxPool((1, size), (1, size), "valid"))
    largest = chain.add("column", Reshape((*rows, 1)))
    lowered = chain.add("lowered", Subtract(), x, largest)
    chain.add("powers", SHARE, lowered)
    if mask is not None:
        chain.add("masked", mask)
    chain.add("sum", Dense(np.ones((size, 1), np.float32), None))
    return largest, lowered, chain.add("logarithm", Activation("log"))
