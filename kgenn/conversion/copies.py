"""Let several neurons stand for each value of a ReLU: the same graph, with the ReLU of n equal channels for each.

    ReLU(x) = 1/n · Σ_k ReLU(x),    k = 0 … n − 1

A linear layer in front copies each channel n times, and one behind takes the mean; both become part of the
synapses around the ReLU. A max pooling of the ReLU is one of its copies: the largest of equal values is equal too.

The neurons of a channel get the same current, and differ in where their potential starts. With threshold 1 and
potentials that start k/n higher, they send together what one neuron of threshold 1/n sends that may fire n times
in a step, since Σ_k ⌊x + k/n⌋ = ⌊n·x⌋.

Source: groups of neurons in place of one with several levels, Lv et al. 2024 (ICASSP); the identity is Hermite's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod

import numpy as np

from kgenn.ir.graph import Array, Graph, Node
from kgenn.layers.activation import ReLU
from kgenn.layers.pointwise import Pointwise
from kgenn.layers.pooling import MaxPool
from kgenn.passes.inserted import unused


def neurons_of_a_copy(graph: Graph) -> dict[str, int]:
    """Return for each ReLU of a lowered graph the neurons of one copy, those of max poolings of it too."""
    found: dict[str, int] = {}
    owners: dict[str, str] = {}
    for node in graph.nodes:
        if isinstance(node.layer, ReLU):
            owners[node.name] = node.name
        elif isinstance(node.layer, MaxPool) and node.inputs[0] in owners:
            owners[node.name] = owners[node.inputs[0]]
        else:
            continue
        owner = owners[node.name]
        found[owner] = found.get(owner, 0) + prod(graph.shapes[node.name])
    return found


def copied(graph: Graph, copies: Mapping[str, int]) -> dict[str, int]:
    """Return how many neurons stand for each value of the ReLUs that are copied, and of max poolings of these."""
    found: dict[str, int] = {}
    for node in graph.nodes:
        if copies.get(node.name, 1) > 1:
            found[node.name] = copies[node.name]
        elif isinstance(node.layer, MaxPool) and node.inputs[0] in found:
            found[node.name] = found[node.inputs[0]]
    return found


def with_copies(graph: Graph, copies: Mapping[str, int]) -> Graph:
    """Return a lowered graph with n neurons for each value of some ReLUs; copies of a channel follow one another.

    Args:
        copies: n by the name of the ReLU; what is not named has one.
    """
    numbers, means = copied(graph, copies), dict[str, str]()

    def mean_of(source: str) -> list[Node]:
        """Return the node that takes the mean of a copied value, where there is none yet."""
        if source not in numbers or source in means:
            return []
        means[source] = unused(f"{source}/mean", graph.by_name)
        number, origin = numbers[source], graph.by_name[source].origin
        kernel = np.full((graph.shapes[source][-1], number, 1), 1 / number)
        return [Node(means[source], Pointwise(kernel), (source,), origin)]

    def change(node: Node) -> Sequence[Node] | None:
        if node.name in numbers and isinstance(node.layer, MaxPool):
            return None
        before = [mean for source in node.inputs for mean in mean_of(source)]
        node = replace(node, inputs=tuple(means.get(source, source) for source in node.inputs))
        if node.name in numbers:
            name = unused(f"{node.name}/copies", graph.by_name)
            kernel = np.ones((graph.shapes[node.name][-1], 1, numbers[node.name]))
            before.append(Node(name, Pointwise(kernel), node.inputs, node.origin))
            node = replace(node, inputs=(name,))
        return [*before, node]

    edited = graph.edit(change)
    ends = [mean for end in graph.ends for mean in mean_of(end)]
    outputs = tuple(replace(output, node=means.get(output.node, output.node)) for output in edited.outputs)
    ended = {output.node for output in outputs}
    assert ended.isdisjoint(numbers), "an output of copies"
    return replace(edited, nodes=(*edited.nodes, *ends), outputs=outputs)


def staggered(potential: Array, number: int) -> Array:
    """Return where the potentials of n neurons start that together are one of a potential, in thresholds.

    Args:
        potential: of the one, in thresholds of its own, an n-th of theirs; shape (channels,).
        number: n.

    Returns:
        Shape (channels · n,), in the order of `with_copies`.
    """
    starts: Array = (potential[:, np.newaxis] + np.arange(number)) / number
    return starts.ravel()
