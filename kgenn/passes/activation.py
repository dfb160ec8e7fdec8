"""Leave a model's final activation to the host, and fuse ReLUs that follow one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kgenn.ir.graph import Graph, Layer, Node
from kgenn.layers.activation import Activation, Identity, OutputLayer, OverAxis, ReLU
from kgenn.layers.shape import Permute, Reshape
from kgenn.passes.options import LoweringOptions


def leave_output_activations_to_host(graph: Graph, options: LoweringOptions) -> Graph:
    """Let the host compute the activations that end a model, of what its last weights give.

    No population can be a softmax or a sigmoid, and none is needed: nothing in the network reads them. An
    element-wise one also leaves from before a transposition or a reshape: f(P x) = P f(x). A plain ReLU stays; see
    `fit_readout`.

    Declines for an activation that something else reads too, another output for one.
    """
    final = {end: output_activations(graph, end)[::-1] for end in graph.ends}
    layers = {end: [node.layer for node in nodes] for end, nodes in final.items()}
    names = [node.name for nodes in final.values() for node in nodes]
    marked = replace(graph, outputs=tuple(output.after(*layers[output.node]) for output in graph.outputs))
    edited = marked.edit(lambda node: node.inputs[0] if node.name in names else None)
    return edited.noted(*(f"{name}: runs on the host, after the readout" for name in names))


def output_activations(graph: Graph, end: str, relus: bool = False) -> tuple[Node, ...]:
    """Return the activations of an output that the host can compute after the network, the last first.

    Args:
        end: the output's node.
        relus: plain ReLUs too, which neurons compute where the readout counts spikes.
    """
    if graph.consumers[end]:
        return ()
    found: list[Node] = []
    node, moved = graph.by_name[end], False
    while True:
        layer = node.layer
        is_first = _is_over_axis(layer) and not any(_is_over_axis(n.layer) for n in found)
        if _is_elementwise(layer) or (relus and isinstance(layer, ReLU)) or (is_first and not moved):
            found.append(node)
        elif isinstance(layer, Permute | Reshape):
            moved = True
        elif not isinstance(layer, Identity):
            return tuple(found)
        if not graph.has_one_reader(node.inputs[0]):
            return tuple(found)
        node = graph.by_name[node.inputs[0]]


def _is_over_axis(layer: Layer) -> bool:
    """Tell whether a layer is one that the host computes along an axis, such as a softmax."""
    return isinstance(layer, OverAxis) and isinstance(layer, OutputLayer)


def _is_elementwise(layer: Layer) -> bool:
    """Tell whether a layer is an element-wise activation other than a plain ReLU."""
    return isinstance(layer, Activation) or (isinstance(layer, ReLU) and not layer.is_plain)


def fuse_relus(graph: Graph, options: LoweringOptions) -> Graph:
    """Fuse a ReLU with the ReLU before it, the lower cap winning: relu(relu(x, a), b) = relu(x, min(a, b)).

    Declines where others read the first ReLU: they need its own population.
    """
    seen: dict[str, Node] = {}

    def change(node: Node) -> Sequence[Node] | None:
        seen[node.name] = node
        source = seen[node.inputs[0]] if node.inputs else node
        own, before = node.layer, source.layer
        if source is node or not (isinstance(own, ReLU) and isinstance(before, ReLU)):
            return None
        if not (own.is_plain and before.is_plain):
            return None
        if not graph.has_one_reader(source.name):
            return None
        caps = [cap for cap in (own.max_value, before.max_value) if cap is not None]
        fused = replace(node, layer=ReLU(min(caps, default=None)), inputs=source.inputs)
        seen[node.name] = fused
        return (fused,)

    return graph.edit(change).pruned()
