"""The end of lowering: whether a model is within the profile, and neurons and connections can be all that it has.

The verdict needs no calibration data. `kgenn check`, the inspector and a conversion all read the same value, so
that a check approves what a conversion takes, and nothing else.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from kgenn.conversion.base import Converter, Memoise, uncached
from kgenn.conversion.compose import compose
from kgenn.conversion.constraints import violations
from kgenn.conversion.max_pool import most_sources
from kgenn.conversion.paths import excess_of_paths, nonlinear, paths_into, region
from kgenn.conversion.recipe import Recipe
from kgenn.conversion.relaying import relayed
from kgenn.conversion.rewriting import rewritten
from kgenn.conversion.searched import MAX_SYNAPSES, too_many_synapses
from kgenn.diagnostics import Diagnostic, KgennError
from kgenn.ir.connectivity import Sparse
from kgenn.ir.graph import Graph, Input, Node
from kgenn.ir.network_input import InputCoding
from kgenn.layers.pooling import MaxPool
from kgenn.layers.populations import is_population
from kgenn.passes import lower
from kgenn.passes.max_pool import split_max_pools
from kgenn.passes.offsets import PooledInput, PooledInputs
from kgenn.passes.options import MIN_FITTED
from kgenn.passes.readout import fit_readout


@dataclass(frozen=True)
class SpikeLimits:
    """What decides which max poolings neurons can do.

    Attributes:
        low, high: the least and the largest value of a spike of any population.
        pooled_inputs: where neurons can pool each input itself: never one that sends no spikes, and only without
            padding one whose spikes can be negative.
    """

    low: int
    high: int
    pooled_inputs: PooledInputs

    @property
    def key(self) -> Hashable:
        """Return what a rewritten graph depends on."""
        return tuple(self.pooled_inputs.items())

    @property
    def range(self) -> tuple[int, int]:
        """Return the least and the largest value of a spike."""
        return self.low, self.high


def spikes_of(converter: Converter, codings: Mapping[str, InputCoding], num_timesteps: int) -> SpikeLimits:
    """Return the spikes of networks of a converter with such inputs."""
    low, high = converter.spike_range(num_timesteps)
    pooled = {name: _pooled_input(coding) for name, coding in codings.items()}
    return SpikeLimits(min(low, -1) if "unpadded" in pooled.values() else low, high, pooled)


def _pooled_input(coding: InputCoding) -> PooledInput:
    return "never" if coding.analog else "unpadded" if coding.low < 0 else "always"


@dataclass(frozen=True, eq=False)
class Legality:
    """A lowered graph and the verdict on it, which needs no calibration data.

    Attributes:
        exact: lowered, its end fitted to the readout, smooth activations and poolings of both signs still in it.
        written: the same as ReLUs, maxima and linear layers; widths of pieces and shifts are assumed.
        problems: why it is no network, in layer order; empty where it is one.
    """

    exact: Graph
    written: Graph
    problems: tuple[Diagnostic, ...]

    def accepted(self) -> Graph:
        """Return the lowered graph of a model that converts; raise every problem of any other."""
        if self.problems:
            raise KgennError(self.problems)
        return self.exact


def legalise(graph: Graph, recipe: Recipe, memoise: Memoise = uncached) -> Legality:
    """Lower a graph as read from a file, and judge it: here, and nowhere else.

    Everything that the profile does not admit is found, and everything that no connection or neuron can be, where
    the profile has nothing to say of the layer.

    Args:
        memoise: keeps what of connections had to be searched for.

    Raises:
        KgennError: where options do not go together.
    """
    recipe.encoders_for(graph)
    found = violations(graph, recipe.converter, recipe.allow)
    if any(problem.code == "KG209" for problem in found):
        return Legality(graph, graph, tuple(found))
    try:
        exact = fit_readout(lower(graph, recipe.lowering), recipe.readout)
        exact = relayed(exact, recipe.lowering.pieces or MIN_FITTED)
    except KgennError as error:
        return Legality(graph, graph, (*found, *error.diagnostics))
    spikes = spikes_before_data(recipe, exact)
    pieces = recipe.pieces(recipe.converter.default_timesteps)
    written = rewritten(exact, pieces, spikes.pooled_inputs)
    named = {problem.where for problem in found}
    refused = refusals(written, recipe.converter, spikes, memoise)
    return Legality(exact, written, (*found, *(problem for problem in refused if problem.where not in named)))


def accepted(graph: Graph, recipe: Recipe, memoise: Memoise) -> Graph:
    """Return the lowered graph of a model that converts; raise every problem of any other. See `legalise`.

    Args:
        memoise: keeps it, so that a conversion does not judge again what its caller has judged.
    """
    key = ("accepted", replace(recipe, seed=0))
    lowered: Graph = memoise(key, lambda: legalise(graph, recipe, memoise).accepted())
    return lowered


def spikes_before_data(recipe: Recipe, graph: Graph) -> SpikeLimits:
    """Return the spikes of a recipe's networks of a graph, as far as they are known without calibration data."""
    steps, nothing = recipe.converter.default_timesteps, np.zeros((1, 1), np.float32)
    encoders = recipe.encoders_for(graph)
    codings = {name: encoder.coding(nothing, steps) for name, encoder in encoders.items()}
    return spikes_of(recipe.converter, codings, steps)


def refusals(graph: Graph, converter: Converter, spikes: SpikeLimits, memoise: Memoise) -> tuple[Diagnostic, ...]:
    """Return why a graph of ReLUs, maxima and linear layers is no network, in layer order; empty if it is one."""
    whole = split_max_pools(graph, most_sources(spikes.range))
    found, ends = list(converter.refusals(whole)), tuple(_ends(whole))
    for node in whole.nodes:
        if isinstance(node.layer, MaxPool):
            found.extend(pool_refusals(whole, node, spikes))
    linear = {node.name for node in region(whole, *ends)}
    bent = [p for node in whole.nodes if node.name in linear and (p := nonlinear(node)) is not None]
    found.extend(bent)
    if not bent:
        found.extend(_path_refusals(whole, ends, memoise))
    return tuple(dict.fromkeys(found))


def pool_refusals(graph: Graph, node: Node, spikes: SpikeLimits) -> Iterator[Diagnostic]:
    """Yield the first reason why neurons cannot do a max pooling of a lowered graph, if there is one."""
    layer, source = node.layer, graph.by_name[node.inputs[0]]
    assert isinstance(layer, MaxPool)
    if not is_population(source) or spikes.pooled_inputs.get(source.name) == "never":
        what = "pools values that no spikes stand for"
        yield Diagnostic("KG301", node.origin, what, "pool after a ReLU, or encode the input as spikes")
    elif prod(layer.size) > most_sources(spikes.range):
        what = f"has a window of {'×'.join(map(str, layer.size))}, too large for one neuron"
        yield Diagnostic("KG301", node.origin, what, "pool with padding='valid', or in smaller windows")
    elif _sends_both_signs(graph, source, spikes) and any(map(any, layer.pads(graph.shapes[source.name][:-1]))):
        what = "pools a signed input next to padding, which has no spikes and would count as 0"
        yield Diagnostic("KG301", node.origin, what, "pool with padding='valid', or encode inputs from 0 to 1")


def _sends_both_signs(graph: Graph, node: Node, spikes: SpikeLimits) -> bool:
    """Tell whether a population can send spikes of negative values: a signed input, or the pool of one."""
    while isinstance(node.layer, MaxPool):
        node = graph.by_name[node.inputs[0]]
    return spikes.pooled_inputs.get(node.name) == "unpadded"


def _ends(graph: Graph) -> Iterator[str]:
    """Yield the nodes whose values populations integrate: what ReLUs read, and the outputs."""
    for node in graph.nodes:
        if is_population(node) and not isinstance(node.layer, Input | MaxPool):
            yield node.inputs[0]
    yield from graph.ends


def _path_refusals(graph: Graph, ends: tuple[str, ...], memoise: Memoise) -> Iterator[Diagnostic]:
    total = 0
    for end in ends:
        where = graph.by_name[end].origin or end
        problem = excess_of_paths(graph, end)
        if problem is not None:
            yield problem
            continue
        try:
            composed = (compose(path, where, memoise)[1] for path in paths_into(graph, end))
            total += sum(c.num_synapses for c in composed if isinstance(c, Sparse))
        except KgennError as error:
            yield from error.diagnostics
            continue
        if total > MAX_SYNAPSES:
            yield too_many_synapses(where)
            return
