"""Write products and extrema of several values as those of two, and maxima as ReLUs.

    max(x, y) = x + ReLU(y − x)        min(x, y) = x − ReLU(x − y)        x·x = x²        x·g(x) is one function

The last of these is what a swish is made of, which then is pieces of one function of x, not a product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kgenn.ir.graph import Graph, Layer, Node
from kgenn.layers.activation import Elementwise, Gated, Identity, PReLU, ReLU
from kgenn.layers.affine import Affine
from kgenn.layers.merge import Add, Maximum, Minimum, Multiply, Subtract
from kgenn.layers.relay import Relay
from kgenn.passes.options import LoweringOptions
from kgenn.passes.products import SQUARE


def split_merges(graph: Graph, options: LoweringOptions) -> Graph:
    """Let each product or extremum join two values; one of a single value is that value."""

    def change(node: Node) -> Sequence[Node] | str | None:
        if not isinstance(node.layer, Multiply | Maximum | Minimum) or len(node.inputs) == 2:
            return None
        first, *rest = node.inputs
        made: list[Node] = []
        for number, name in enumerate(rest):
            last = number == len(rest) - 1
            made.append(
                Node(node.name if last else f"{node.name}/{number}", node.layer, (first, name), node.origin)
            )
            first = made[-1].name
        return made or first

    return graph.edit(change)


def extrema_as_relus(graph: Graph, options: LoweringOptions) -> Graph:
    """Write each maximum or minimum of two values as a sum with a ReLU.

    The value that is passed by is the one that neurons stand for already, where there is one. Else it gets a
    relay, so that its weights are not multiplied with those after the sum.
    """

    def change(node: Node) -> Sequence[Node] | None:
        if not isinstance(node.layer, Maximum | Minimum):
            return None
        spiking = [name for name in node.inputs if graph.by_name[name].layer.population]
        shape = graph.shapes[node.name]
        whole = [name for name in (*spiking, *node.inputs) if graph.shapes[name] == shape] or list(node.inputs)
        kept = whole[0]
        other = node.inputs[1] if kept == node.inputs[0] else node.inputs[0]
        relay = [] if kept in spiking else [Node(f"{node.name}/relay", Relay(), (kept,), node.origin)]
        rising = isinstance(node.layer, Maximum)
        ends = (other, kept) if rising else (kept, other)
        gap = Node(f"{node.name}/gap", Subtract(), ends, node.origin)
        over = Node(f"{node.name}/over", ReLU(), (gap.name,), node.origin)
        passed = relay[0].name if relay else kept
        joined = replace(node, layer=Add() if rising else Subtract(), inputs=(passed, over.name))
        return *relay, gap, over, joined

    return graph.edit(change)


def fuse_gates(graph: Graph, options: LoweringOptions) -> Graph:
    """Make one function of each product of a value with a function of itself."""

    def change(node: Node) -> Sequence[Node] | None:
        if not isinstance(node.layer, Multiply) or len(node.inputs) != 2:
            return None
        for x, y in (node.inputs, node.inputs[::-1]):
            gate = _function_of(graph, x, y)
            if gate is not None:
                return (replace(node, layer=Gated(gate) if gate else SQUARE, inputs=(x,)),)
        return None

    return graph.edit(change).pruned()


def _function_of(graph: Graph, x: str, y: str) -> tuple[Layer, ...] | None:
    """Return the layers that make y of x, where each value of y depends on its own of x alone; None otherwise."""
    layers: list[Layer] = []
    while y != x:
        node = graph.by_name.get(y)
        if node is None or len(node.inputs) != 1 or not _is_alike(node.layer):
            return None
        layers.insert(0, node.layer)
        y = node.inputs[0]
    return tuple(layer for layer in layers if not isinstance(layer, Identity))


def _is_alike(layer: Layer) -> bool:
    """Tell whether a layer computes every value in the same way."""
    if isinstance(layer, Affine):
        return all(np.size(part) == 1 for part in layer.scale_shift())
    return isinstance(layer, Elementwise) and not isinstance(layer, PReLU | Affine)
