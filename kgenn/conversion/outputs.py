"""What a model's outputs are: activations that the host computes, and classes."""

from __future__ import annotations

from math import prod

from kgenn.ir.graph import Graph, Output
from kgenn.ir.output_activation import OutputActivation
from kgenn.layers.activation import Activation, OutputLayer
from kgenn.passes.activation import output_activations


def host_activations(output: Output) -> tuple[OutputActivation, ...]:
    """Return what the host computes of an output of a lowered graph, one after the other."""
    layers = [layer for layer in output.postprocessing if isinstance(layer, OutputLayer)]
    assert len(layers) == len(output.postprocessing), "a layer runs on the host that is no output activation"
    return tuple(layer.on_host() for layer in layers)


def is_binary(graph: Graph, output: Output) -> bool:
    """Tell whether an output of a graph, as read, is one sigmoid, which says which of two classes it is."""
    last = [node.layer for node in output_activations(graph, output.node)[:1]]
    is_sigmoid = any(isinstance(layer, Activation) and layer.function == "sigmoid" for layer in last)
    return is_sigmoid and prod(graph.shapes[output.node]) == 1


def classes_of(graph: Graph) -> dict[str, int]:
    """Return how many classes each output of a graph, as read, says, by its name: two of a single sigmoid."""
    outputs = graph.outputs
    return {o.name: 2 if is_binary(graph, o) else prod(graph.shapes[o.node]) for o in outputs}
