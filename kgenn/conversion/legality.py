"""The end of lowering: whether connections and neurons can be everything that a lowered graph has left.

The verdict needs no calibration data. `kgenn check` and a conversion both ask for it here, before anything else is
computed, so that a check approves what a conversion takes, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from kgenn.conversion.base import Converter
from kgenn.conversion.compose import oversized
from kgenn.conversion.max_pool import most_sources
from kgenn.conversion.paths import excess_of_paths, nonlinear, paths_into, region
from kgenn.diagnostics import Diagnostic
from kgenn.encoders.base import Encoder
from kgenn.ir.graph import Graph, Input, Node
from kgenn.ir.network import InputCoding
from kgenn.layers.pooling import MaxPool
from kgenn.layers.populations import is_population
from kgenn.passes.max_pool import split_max_pools


@dataclass(frozen=True)
class Spikes:
    """What decides which max poolings neurons can do.

    Attributes:
        low, high: the least and the largest value of a spike of any population.
        analog: the input sends no spikes.
        signed: the input's spikes can be negative.
    """

    low: int
    high: int
    analog: bool
    signed: bool

    @property
    def range(self) -> tuple[int, int]:
        """Return the least and the largest value of a spike."""
        return self.low, self.high


def spikes_of(converter: Converter, coding: InputCoding, num_timesteps: int) -> Spikes:
    """Return the spikes of networks of a converter with such an input."""
    low, high = converter.spike_range(num_timesteps)
    signed = coding.low < 0 and not coding.analog
    return Spikes(min(low, -1) if signed else low, high, coding.analog, signed)


def refusals(graph: Graph, converter: Converter, encoder: Encoder, thorough: bool) -> tuple[Diagnostic, ...]:
    """Return why a lowered graph is no network, in layer order; empty where it is one.

    Args:
        graph: lowered, its end fitted to the readout.
        thorough: count the synapses of connections that are searched for one by one, which takes as long as
            converting them. A conversion leaves that to itself: it counts while it makes them.
    """
    steps = converter.default_timesteps
    spikes = spikes_of(converter, encoder.coding(np.zeros((1, 1), np.float32), steps), steps)
    whole = split_max_pools(graph, most_sources(spikes.range))
    found, ends = list(converter.refusals(whole)), tuple(_ends(whole))
    for node in whole.nodes:
        if isinstance(node.layer, MaxPool):
            found.extend(pool_refusals(whole, node, spikes))
    linear = {node.name for node in region(whole, *ends)}
    bent = [p for node in whole.nodes if node.name in linear and (p := nonlinear(node)) is not None]
    found.extend(bent)
    if not bent:
        found.extend(problem for end in ends for problem in _path_refusals(whole, end, thorough))
    return tuple(dict.fromkeys(found))


def pool_refusals(graph: Graph, node: Node, spikes: Spikes) -> Iterator[Diagnostic]:
    """Yield the first reason why neurons cannot do a max pooling of a lowered graph, if there is one."""
    layer, source = node.layer, graph.by_name[node.inputs[0]]
    assert isinstance(layer, MaxPool)
    if not is_population(source) or (isinstance(source.layer, Input) and spikes.analog):
        what = "pools values that no spikes stand for"
        yield Diagnostic("KG301", node.origin, what, "pool after a ReLU, or encode the input as spikes")
    elif prod(layer.size) > most_sources(spikes.range):
        what = f"has a window of {'×'.join(map(str, layer.size))}, too large for one neuron"
        yield Diagnostic("KG301", node.origin, what, "pool with padding='valid', or in smaller windows")
    elif _sends_both_signs(graph, source, spikes) and any(map(any, layer.pads(graph.shapes[source.name][:-1]))):
        what = "pools a signed input beside padding, which has no spikes and would count as 0"
        yield Diagnostic("KG301", node.origin, what, "pool with padding='valid', or encode inputs from 0 to 1")


def _sends_both_signs(graph: Graph, node: Node, spikes: Spikes) -> bool:
    """Tell whether a population can send spikes of negative values: a signed input, or the pool of one."""
    while isinstance(node.layer, MaxPool):
        node = graph.by_name[node.inputs[0]]
    return isinstance(node.layer, Input) and spikes.signed


def _ends(graph: Graph) -> Iterator[str]:
    """Yield the nodes whose values populations integrate: what ReLUs read, and the output."""
    for node in graph.nodes:
        if is_population(node) and not isinstance(node.layer, Input | MaxPool):
            yield node.inputs[0]
    (output,) = graph.outputs
    yield output


def _path_refusals(graph: Graph, end: str, thorough: bool) -> Iterator[Diagnostic]:
    problem = excess_of_paths(graph, end)
    if problem is not None:
        yield problem
        return
    for path in paths_into(graph, end):
        yield from oversized(path, graph.by_name[end].origin or end, thorough)
