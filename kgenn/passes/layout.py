"""Make a channels-first model channels-last: cancel transpositions, and move what is left to the input."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace

from kgenn.ir.graph import Graph, Input, Layer, Node
from kgenn.layers.activation import Elementwise
from kgenn.layers.affine import Affine
from kgenn.layers.merge import Add, Concatenate
from kgenn.layers.shape import Permute
from kgenn.passes.inserted import unused
from kgenn.passes.options import LoweringOptions


def cancel_permutes(graph: Graph, options: LoweringOptions) -> Graph:
    """Push transpositions down through layers that do not care, and merge those that meet.

    With P the transposition: f(P x) = P f(x) for an element-wise f, P x + P y = P (x + y), and P Q x is one
    transposition, or none where P undoes Q. A population that a later pass inserted stays where it was put.
    """
    seen: dict[str, Node] = {}

    def change(node: Node) -> Sequence[Node] | str | None:
        result = _pushed(node, [seen[s] for s in node.inputs], graph.by_name.keys() | seen.keys())
        if not isinstance(result, str):
            seen.update({new.name: new for new in result or (node,)})
        return result

    return graph.edit(change).pruned()


def _pushed(node: Node, sources: list[Node], taken: Container[str]) -> Sequence[Node] | str | None:
    permutes = [s.layer for s in sources if isinstance(s.layer, Permute)]
    if not sources or len(permutes) < len(sources) or len({p.axes for p in permutes}) > 1 or node.purpose:
        return None
    axes, origins = permutes[0].axes, tuple(s.inputs[0] for s in sources)
    if isinstance(node.layer, Permute):
        merged = tuple(axes[a] for a in node.layer.axes)
        undone = merged == tuple(range(len(merged)))
        return origins[0] if undone else (replace(node, layer=Permute(merged), inputs=origins),)
    moved = _moved(node.layer, axes)
    if moved is None:
        return None
    # a layer that a pass has moved since may have been pushed through before
    below = Node(unused(f"{node.name}/permute", taken), permutes[0], (node.name,), node.origin)
    return replace(node, layer=moved, inputs=origins), below


def _moved(layer: Layer, axes: tuple[int, ...]) -> Layer | None:
    """Return the layer that does before the transposition what `layer` does after it, or None."""
    if isinstance(layer, Concatenate):
        return Concatenate(axes[layer.axis + len(axes)] - len(axes))
    if isinstance(layer, Affine):
        scalar = all(part.size == 1 for part in layer.scale_shift())
        return layer if scalar else None
    return layer if isinstance(layer, Elementwise | Add) else None


def absorb_into_input(graph: Graph, options: LoweringOptions) -> Graph:
    """Let the input run the transposition, rescaling or normalisation that is its only consumer.

    These run on the host before a sample is encoded, so that an encoder sees the values that the first
    weights were trained on.
    """
    while (pair := _absorbable(graph)) is not None:
        source, consumer = pair

        def change(node: Node, source: Node = source, consumer: Node = consumer) -> Sequence[Node] | str | None:
            if node.name == consumer.name:
                return source.name
            if node.name == source.name:
                assert isinstance(source.layer, Input)
                steps = (*source.layer.preprocessing, consumer.layer)
                return (replace(node, layer=replace(source.layer, preprocessing=steps)),)
            return None

        graph = graph.edit(change).noted(f"{consumer.name}: runs on the host, before the encoder")
    return graph


def _absorbable(graph: Graph) -> tuple[Node, Node] | None:
    for name in graph.inputs:
        users = graph.consumers[name]
        if graph.has_one_reader(name) and isinstance(graph.by_name[users[0]].layer, Permute | Affine):
            return graph.by_name[name], graph.by_name[users[0]]
    return None
