"""Write gated linear units as products: with a and b the halves of x, glu(x) = a · sigmoid(b)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kgenn.ir.graph import Graph, Node
from kgenn.layers.activation import Activation
from kgenn.layers.along import Take
from kgenn.layers.glu import Glu
from kgenn.layers.merge import Multiply
from kgenn.passes.chains import Chain
from kgenn.passes.options import LoweringOptions


def expand_glus(graph: Graph, options: LoweringOptions) -> Graph:
    """Write each gated linear unit as what other passes know."""

    def change(node: Node) -> Sequence[Node] | None:
        if not isinstance(node.layer, Glu):
            return None
        chain, (x,), axis = Chain(node), node.inputs, node.layer.axis
        half = graph.shapes[node.name][axis]
        value = chain.add("value", Take(np.arange(half), axis), x)
        chain.add("other", Take(np.arange(half, 2 * half), axis), x)
        return chain.done(Multiply(), value, chain.add("gate", Activation("sigmoid")))

    return graph.edit(change)
