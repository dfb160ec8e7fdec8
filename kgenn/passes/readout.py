"""Fit the end of a graph to what scores a class."""

from __future__ import annotations

from dataclasses import replace

from kgenn.diagnostics import fail
from kgenn.ir.graph import Graph
from kgenn.ir.network import ReadoutKind
from kgenn.layers.activation import ReLU, Softmax
from kgenn.layers.pooling import MaxPool
from kgenn.passes.inserted import inserted


def fit_readout(graph: Graph, readout: ReadoutKind) -> Graph:
    """Make the output neurons that spike for a spike-count readout, and no ReLU for one of accumulated current.

    The host computes that ReLU, of what drives it.
    """
    (output,) = graph.outputs
    node = graph.by_name[output]
    is_relu = isinstance(node.layer, ReLU)
    if readout != "spike-count" and is_relu and not graph.consumers[output]:
        note = f"{output}: its ReLU runs on the host, since the readout integrates what drives it"
        left = (node.layer, *graph.postprocessing)
        return replace(graph, outputs=node.inputs, postprocessing=left).pruned().noted(note)
    if readout == "spike-count" and not all(isinstance(layer, Softmax) for layer in graph.postprocessing):
        what = "is of values that can be negative, which a readout that counts spikes cannot give"
        raise fail("KG302", node.origin or output, f"its final activation {what}", "pass --readout current")
    if readout == "spike-count" and not is_relu and not isinstance(node.layer, MaxPool):
        counted = inserted(node, output, "readout")
        return replace(graph, nodes=(*graph.nodes, counted), outputs=(counted.name,))
    return graph
