"""Drop a final softmax, and fuse ReLUs that follow one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kgenn.ir.graph import Graph, Node
from kgenn.layers.activation import ReLU, Softmax
from kgenn.passes.options import LoweringOptions


def drop_final_softmax(graph: Graph, options: LoweringOptions) -> Graph:
    """Read the logits instead of a softmax at an output: it is monotonic, so that the predictions stay."""

    dropped = {
        name: graph.by_name[name].inputs[0]
        for name in graph.outputs
        if isinstance(graph.by_name[name].layer, Softmax) and not graph.consumers[name]
    }
    edited = graph.edit(lambda node: dropped.get(node.name))
    return edited.noted(*(f"{name}: final softmax dropped; scores are logits" for name in dropped))


def fuse_relus(graph: Graph, options: LoweringOptions) -> Graph:
    """Fuse a ReLU with the ReLU before it, the lower cap winning: relu(relu(x, a), b) = relu(x, min(a, b)).

    Declines where others read the first ReLU: they need its own population.
    """
    seen: dict[str, Node] = {}

    def change(node: Node) -> Sequence[Node] | None:
        seen[node.name] = node
        source = seen[node.inputs[0]] if node.inputs else node
        if source is node or not (_is_plain(node) and _is_plain(source)):
            return None
        if len(graph.consumers[source.name]) > 1 or source.name in graph.outputs:
            return None
        assert isinstance(node.layer, ReLU)
        assert isinstance(source.layer, ReLU)
        caps = [cap for cap in (node.layer.max_value, source.layer.max_value) if cap is not None]
        fused = replace(node, layer=ReLU(min(caps, default=None)), inputs=source.inputs)
        seen[node.name] = fused
        return (fused,)

    return graph.edit(change).pruned()


def _is_plain(node: Node) -> bool:
    layer = node.layer
    return isinstance(layer, ReLU) and layer.negative_slope == 0 and layer.threshold == 0
