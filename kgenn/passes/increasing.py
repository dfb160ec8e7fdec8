"""Pool before what is increasing: max(f(x)) = f(max(x)), and fewer values are left for f."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kgenn.ir.graph import Graph, Layer, Node
from kgenn.ir.output_activation import increases
from kgenn.layers.activation import Activation, ReLU
from kgenn.layers.affine import Affine
from kgenn.layers.pooling import MaxPool
from kgenn.passes.options import LoweringOptions
from kgenn.passes.settled import settled


def pool_before_increasing(graph: Graph, options: LoweringOptions) -> Graph:
    """Move a gain above zero, or an increasing activation other than a ReLU, behind the max pooling that reads it.

    Declines where something else reads it too.
    """
    return settled(graph, _moved)


def _moved(graph: Graph) -> Graph:
    """Move each such layer over one max pooling; return the graph itself where there is none."""
    pools: dict[str, Node] = {}
    for node in graph.nodes:
        if isinstance(node.layer, MaxPool):
            source = graph.by_name[node.inputs[0]]
            if graph.has_one_reader(source.name) and _is_increasing(source.layer):
                pools[node.name] = source
    before = {source.name for source in pools.values()}

    def change(node: Node) -> Sequence[Node] | str | None:
        if node.name in before:
            return node.inputs[0]
        source = pools.get(node.name)
        if source is None:
            return None
        return node, replace(source, inputs=(node.name,))

    return graph.edit(change) if pools else graph


def _is_increasing(layer: Layer) -> bool:
    match layer:
        case Affine():
            scale, shift = layer.scale_shift()
            # what differs from pixel to pixel does not commute
            by_channel = all(part.size == part.shape[-1] if part.ndim else True for part in (scale, shift))
            return by_channel and bool((scale > 0).all())
        case ReLU():
            return layer.negative_slope > 0 and not layer.threshold
        case Activation():
            return increases(layer.function, layer.params)
    return False
