"""What a model's outputs are: activations that the host computes, and classes."""

from __future__ import annotations

from math import prod

from kgenn.ir.graph import Graph
from kgenn.ir.output_activation import OutputActivation
from kgenn.layers.activation import Activation, OutputLayer
from kgenn.passes.activation import output_activations


def host_activations(graph: Graph) -> tuple[OutputActivation, ...]:
    """Return what the host computes of the outputs of a lowered graph, one after the other."""
    layers = [layer for layer in graph.postprocessing if isinstance(layer, OutputLayer)]
    assert len(layers) == len(graph.postprocessing), "a layer runs on the host that is no output activation"
    return tuple(layer.on_host() for layer in layers)


def is_binary(graph: Graph) -> bool:
    """Tell whether the only output of a graph, as read, is one sigmoid, which says which of two classes it is."""
    last = [node.layer for node in output_activations(graph)[:1]]
    is_sigmoid = any(isinstance(layer, Activation) and layer.function == "sigmoid" for layer in last)
    return is_sigmoid and prod(graph.shapes[graph.outputs[0]]) == 1


def num_classes(graph: Graph) -> int:
    """Return how many classes the first output of a graph, as read, says: two of a single sigmoid."""
    return 2 if is_binary(graph) else prod(graph.shapes[graph.outputs[0]])
