"""What a model's outputs are: activations that the host computes, and how each ends."""

from __future__ import annotations

from kgenn.ir.graph import Graph, Output
from kgenn.ir.output_activation import OutputActivation
from kgenn.ir.output_end import OutputEnd, end_of
from kgenn.layers.activation import OutputLayer
from kgenn.passes.activation import output_activations


def host_activations(output: Output) -> tuple[OutputActivation, ...]:
    """Return what the host computes of an output of a lowered graph, one after the other."""
    layers = [layer for layer in output.postprocessing if isinstance(layer, OutputLayer)]
    assert len(layers) == len(output.postprocessing), "a layer runs on the host that is no output activation"
    return tuple(layer.on_host() for layer in layers)


def ends_of(graph: Graph) -> dict[str, OutputEnd]:
    """Return how each output of a graph, as read, ends, by its name."""
    inputs = tuple(graph.input_shapes.values())
    return {
        o.name: end_of(graph.shapes[o.node] or (1,), _last_activations(graph, o), inputs) for o in graph.outputs
    }


def _last_activations(graph: Graph, output: Output) -> tuple[OutputActivation, ...]:
    layers = [node.layer for node in output_activations(graph, output.node, relus=True)[::-1]]
    return tuple(layer.on_host() for layer in layers if isinstance(layer, OutputLayer))
