"""Rectify what is concatenated before it is put together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from kgenn.ir.graph import Array, Graph, Input, Node
from kgenn.layers.activation import ReLU
from kgenn.layers.affine import Affine, Rescaling
from kgenn.layers.conv import Conv
from kgenn.layers.dense import Dense
from kgenn.layers.merge import Concatenate
from kgenn.layers.pooling import MaxPool
from kgenn.passes.inserted import unused
from kgenn.passes.options import LoweringOptions
from kgenn.passes.settled import settled


def split_relus_of_concatenations(graph: Graph, options: LoweringOptions) -> Graph:
    """Give each part of a concatenation of weighted sums a ReLU of its own, instead of one for all of them.

    As in a DenseNet, where a ReLU reads what many convolutions gave, perhaps normalised: relu(concat(a, b)) is
    concat(relu(a), relu(b)). A part is a population then whose synapses are a plain convolution.

    Declines where no weights lie between the parts and the populations before them, where a max pooling reads the
    ReLU, which would have to be a population anyway, at an output, and along other axes.
    """
    return settled(graph, _split)


def whole_of(graph: Graph, part: str) -> str:
    """Return the name of the concatenation that stands for the ReLU a node is a part of, or the node's own."""
    for user in graph.consumers.get(part, ()):
        if isinstance(graph.by_name[user].layer, Concatenate) and part.startswith(f"{user}/"):
            return whole_of(graph, user)
    return part


def _split(graph: Graph) -> Graph:
    """Split the ReLUs over one concatenation each; return the graph itself where there is none."""
    chains = {
        node.name: chain
        for node in graph.nodes
        if isinstance(node.layer, ReLU)
        and node.name not in graph.ends
        and (chain := _chain(graph, node)) is not None
    }

    def change(node: Node) -> Sequence[Node] | None:
        chain = chains.get(node.name)
        return None if chain is None else _parts(graph, node, chain)

    return graph.edit(change).pruned() if chains else graph


def _chain(graph: Graph, relu: Node) -> list[Node] | None:
    """Return the concatenation of channels that a ReLU reads and the affine layers between, or None."""
    chain: list[Node] = []
    node = graph.by_name[relu.inputs[0]]
    while isinstance(node.layer, Affine):
        chain.insert(0, node)
        node = graph.by_name[node.inputs[0]]
    pooled = any(isinstance(graph.by_name[user].layer, MaxPool) for user in graph.consumers[relu.name])
    if not isinstance(node.layer, Concatenate) or node.layer.axis != -1 or pooled:
        return None
    weighted = bool(chain) or any(_is_weighted(graph, source) for source in node.inputs)
    return [node, *chain] if weighted else None


def _is_weighted(graph: Graph, name: str) -> bool:
    """Tell whether weights lie between a node's value and the populations before it."""
    node = graph.by_name[name]
    if isinstance(node.layer, Input | ReLU | MaxPool):
        return False
    return isinstance(node.layer, Conv | Dense | Affine) or any(_is_weighted(graph, s) for s in node.inputs)


def _parts(graph: Graph, relu: Node, chain: list[Node]) -> list[Node]:
    """Return a ReLU for each part, after its share of the affine layers, and their concatenation."""
    joined, *affine = chain
    ends = np.cumsum([0, *(graph.shapes[source][-1] for source in joined.inputs)]).tolist()
    made: list[Node] = []
    rectified: list[str] = []
    for number, (source, (start, stop)) in enumerate(zip(joined.inputs, pairwise(ends), strict=True)):
        reads = source
        for step, node in enumerate(affine):
            assert isinstance(node.layer, Affine)
            scale, shift = (_share(array, start, stop) for array in node.layer.scale_shift())
            name = unused(f"{relu.name}/{number}/affine{step}", graph.by_name)
            made.append(Node(name, Rescaling(scale, shift), (reads,), node.origin))
            reads = made[-1].name
        made.append(Node(unused(f"{relu.name}/{number}", graph.by_name), relu.layer, (reads,), relu.origin))
        rectified.append(made[-1].name)
    return [*made, Node(relu.name, joined.layer, tuple(rectified), joined.origin)]


def _share(array: Array, start: int, stop: int) -> Array:
    """Return the values of some channels, where there is one for each."""
    return array[..., start:stop] if array.ndim and array.shape[-1] > 1 else array
