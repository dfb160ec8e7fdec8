"""Say what each layer of a model becomes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from kgenn.ir.graph import Graph, Input, Shape
from kgenn.layers.activation import Activation, Identity, OverAxis, ReLU
from kgenn.layers.affine import Affine
from kgenn.layers.conv import Conv
from kgenn.layers.dense import Dense
from kgenn.layers.local import LocallyConnected
from kgenn.layers.merge import Concatenate, Merge
from kgenn.layers.pooling import AveragePool, MaxPool
from kgenn.layers.populations import is_population
from kgenn.layers.resampled import Resampled
from kgenn.passes.inserted import name_of


@dataclass(frozen=True)
class LayerPlan:
    """What one layer becomes.

    Attributes:
        layer: the Keras layer, as "name (Class)".
        shape: of its output.
        becomes: in a few words.
    """

    layer: str
    shape: Shape
    becomes: str


def plan(graph: Graph, lowered: Graph) -> tuple[LayerPlan, ...]:
    """Return what becomes of each Keras layer, in order.

    Args:
        graph: as read.
        lowered: the same after lowering, with pieces in place of activations.
    """
    plans: dict[str, list[str]] = {}
    shapes: dict[str, Shape] = {}
    for node in graph.nodes:
        shapes[node.origin] = graph.shapes[node.name]
        words = _becomes(graph, lowered, node.name)
        if words and words not in plans.setdefault(node.origin, []):
            plans[node.origin].append(words)
    return tuple(LayerPlan(origin, shapes[origin], _joined(words)) for origin, words in plans.items())


REORDERING = "reordering of synapses"
ON_HOST = "runs on the host, on the scores"


def _joined(words: list[str]) -> str:
    """Join what the parts of a layer become; these two go without saying beside anything else."""
    informative = [w for w in words if w not in (REORDERING, ON_HOST)]
    return ", ".join(informative or words)


def _becomes(graph: Graph, lowered: Graph, name: str) -> str:
    layer = graph.by_name[name].layer
    kept = lowered.by_name.get(name)
    if isinstance(layer, Input):
        return "input population"
    if isinstance(layer, Identity):
        return "dropped: nothing at inference"
    pieces = [] if isinstance(layer, MaxPool) else _pieces(graph, lowered, name)
    if pieces:
        words = _neurons(*pieces)
        return words if sum(map(prod, pieces)) == prod(graph.shapes[name]) else f"{words} in pieces"
    if isinstance(layer, OverAxis | Activation):
        return ON_HOST
    own = [n for n in (name_of(name, "identity"), name_of(name, "population")) if n in lowered.by_name]
    if own:
        return f"{_neurons(lowered.shapes[own[0]])} of its own"
    if isinstance(layer, Conv | Dense | LocallyConnected):
        readout = "readout" if name in lowered.ends else "synapses"
        return f"{readout} ({layer.kernel.size:,} weights)"
    if isinstance(layer, ReLU):
        if any(layer is each for output in lowered.outputs for each in output.postprocessing):
            return ON_HOST
        return _neurons(lowered.shapes[name]) if kept and is_population(kept) else "fused"
    if isinstance(layer, MaxPool):
        return f"{_neurons(graph.shapes[name])} that take the maximum"
    if isinstance(layer, Affine):
        absorbed = kept is None
        return "runs on the host" if absorbed else "folded into the weights"
    if isinstance(layer, AveragePool | Resampled):
        return "folded into the next connection"
    if isinstance(layer, Merge | Concatenate) and layer.linear:
        return "several connections into one population"
    return REORDERING


def _pieces(graph: Graph, lowered: Graph, name: str) -> list[Shape]:
    """Return the shapes of the populations that a node was rewritten to, beside those that were only inserted."""
    made = (n for n in lowered.nodes if n.name.startswith(f"{name}/") and n.name not in graph.by_name)
    return [
        lowered.shapes[n.name]
        for n in made
        if is_population(n) and n.purpose not in ("identity", "population", "source", "readout")
    ]


def _neurons(*shapes: Shape) -> str:
    return f"{sum(map(prod, shapes)):,} neurons"
