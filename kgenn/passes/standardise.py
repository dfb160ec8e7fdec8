"""Write normalisation by the input's own statistics as linear layers, squares, roots and a product.

    c = x − mean x        y = c · r        r = 1 / √(mean c² + ε)

Squares and the reciprocal root become pieces, the product squares; see `kgenn.passes.pieces` and
`kgenn.passes.products`. Where the group is the channels of a position, the means are Dense layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from kgenn.ir.graph import Graph, Node, Shape
from kgenn.layers.activation import Activation, ReLU
from kgenn.layers.affine import plus
from kgenn.layers.dense import Dense
from kgenn.layers.merge import Multiply, Subtract
from kgenn.layers.normalise import Mean, ReciprocalLength, Standardise, Variance
from kgenn.layers.relay import Relay
from kgenn.layers.shape import Reshape
from kgenn.passes.chains import Chain
from kgenn.passes.options import LoweringOptions
from kgenn.passes.products import SQUARE
from kgenn.passes.values import NodeValues

# A least mean square up to this is added: no step of a network is as small.
TINY = 1e-12
# The least squared length that is normalised, as a share of the largest. Rectified vectors are often zero: the
# factor of a vector that is nearly zero says nothing, and its range takes the resolution of the others.
SHORTEST = 1e-3


def expand_normalisations(graph: Graph, options: LoweringOptions) -> Graph:
    """Write each normalisation by its input, and each variance, as what `squared` and `in_pieces` know."""

    def change(node: Node) -> Sequence[Node] | None:
        if isinstance(node.layer, Variance):
            chain, mean = Chain(node), Mean(node.layer.axes)
            _centred(chain, mean.axes, graph.shapes[node.inputs[0]], node.inputs[0])
            chain.add("square", SQUARE)
            return chain.done(mean)
        if not isinstance(node.layer, Standardise):
            return None
        return _expanded(node, node.layer, graph.shapes[node.name])

    return graph.edit(change)


def _expanded(node: Node, layer: Standardise, shape: Shape) -> list[Node]:
    chain, (x,) = Chain(node), node.inputs
    viewed = layer.view != shape
    if viewed:
        x = chain.add("view", Reshape(layer.view), x)
    size = layer.view[-1]
    c = _centred(chain, layer.axes, layer.view, x) if layer.centred else chain.add("relay", Relay(), x)
    chain.add("square", SQUARE, c)
    share = np.full((size, 1), 1 if layer.total else 1 / size, np.float32)
    over_channels = _over_channels(layer.axes, layer.view)
    chain.add("size", Dense(share, None) if over_channels else Mean(layer.axes, layer.total))
    _add_guard(chain, layer)
    r = chain.add("root", ReciprocalLength() if layer.least else Activation("rsqrt"))
    if not viewed:
        return chain.done(Multiply(), c, r)
    chain.add("product", Multiply(), c, r)
    return chain.done(Reshape(shape))


def squared_lengths(graph: Graph) -> frozenset[str]:
    """Return the nodes whose values `bounded` needs: the squared lengths of vectors that are normalised."""
    roots = (node for node in graph.nodes if isinstance(node.layer, ReciprocalLength))
    return frozenset(node.inputs[0] for node in roots)


def bounded(graph: Graph, values: Mapping[str, NodeValues]) -> Graph:
    """Return a graph in which the factor of a short vector is no larger than the values allow.

    Args:
        values: of each node in `squared_lengths`, by its name.
    """

    def change(node: Node) -> Sequence[Node] | None:
        if not isinstance(node.layer, ReciprocalLength):
            return None
        longest = float(values[node.inputs[0]].high.max())
        return [replace(node, layer=ReciprocalLength(SHORTEST * longest))]

    return graph.edit(change)


def _add_guard(chain: Chain, layer: Standardise) -> None:
    """Keep the mean square above zero by ε, which is added or, with `least`, its least value."""
    guard = max(layer.epsilon, TINY) if layer.least else layer.epsilon
    if layer.least and guard > TINY:
        # max(x, ε) = ReLU(x − ε) + ε
        chain.add("above", plus(np.full(1, -guard, np.float32)))
        chain.add("least", ReLU())
    chain.add("guard", plus(np.full(1, guard, np.float32)))


def _centred(chain: Chain, axes: Shape, shape: Shape, x: str) -> str:
    """Add a relay of x − mean x, and return its name."""
    if _over_channels(axes, shape):
        # one matrix for x − mean x, so that the paths through it keep their structure
        matrix = np.eye(shape[-1]) - 1 / shape[-1]
        centre = chain.add("centre", Dense(matrix.astype(np.float32), None), x)
    else:
        mean = chain.add("mean", Mean(axes), x)
        centre = chain.add("centre", Subtract(), x, mean)
    return chain.add("relay", Relay(), centre)


def _over_channels(axes: Shape, shape: Shape) -> bool:
    return axes == (len(shape) - 1,)
