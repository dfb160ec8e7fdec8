"""Fit the end of a graph to what scores a class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kgenn.diagnostics import fail
from kgenn.ir.graph import Graph, Node, Output
from kgenn.ir.network import ReadoutKind
from kgenn.layers.activation import ReLU, Softmax
from kgenn.layers.pooling import MaxPool
from kgenn.passes.inserted import inserted


def fit_readout(graph: Graph, readout: ReadoutKind) -> Graph:
    """Make each output neurons that spike for a spike-count readout, and no ReLU for one of accumulated current.

    The host computes that ReLU, of what drives it.
    """
    fit = _counted if readout == "spike-count" else _without_relu
    for end in graph.ends:
        graph = fit(graph, end)
    return graph


def _without_relu(graph: Graph, end: str) -> Graph:
    node = graph.by_name[end]
    if not isinstance(node.layer, ReLU) or graph.consumers[end]:
        return graph
    note = f"{end}: its ReLU runs on the host, since the readout integrates what drives it"
    moved = _moved(graph, end, lambda output: replace(output.after(node.layer), node=node.inputs[0]))
    return moved.pruned().noted(note)


def _counted(graph: Graph, end: str) -> Graph:
    node = graph.by_name[end]
    after = (layer for output in graph.outputs if output.node == end for layer in output.postprocessing)
    if not all(isinstance(layer, Softmax) for layer in after):
        what = "is of values that can be negative, which a readout that counts spikes cannot give"
        raise fail("KG302", node.origin or end, f"its final activation {what}", "pass --readout current")
    if isinstance(node.layer, ReLU | MaxPool):
        return graph
    counted = inserted(node, end, "readout")
    return _moved(graph, end, lambda output: replace(output, node=counted.name), counted)


def _moved(graph: Graph, end: str, change: Callable[[Output], Output], *more: Node) -> Graph:
    """Return the graph with the outputs of a node changed, and some nodes more."""
    outputs = tuple(change(output) if output.node == end else output for output in graph.outputs)
    return replace(graph, nodes=(*graph.nodes, *more), outputs=outputs)
