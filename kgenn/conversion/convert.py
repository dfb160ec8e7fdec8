"""The whole conversion: check the profile, lower, scale and assemble; the choices of plug-ins are checked."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kgenn.conversion.activations import moments
from kgenn.conversion.assembly import assembler_of
from kgenn.conversion.base import (
    Calibration,
    Converter,
    Memoise,
    Settings,
    Simulate,
    Status,
    checked_timesteps,
    silent,
    uncached,
)
from kgenn.conversion.input_ranges import input_ranges, with_input_ranges
from kgenn.conversion.legality import accepted, spikes_before_data
from kgenn.conversion.max_pool import most_sources
from kgenn.conversion.recipe import Recipe
from kgenn.conversion.rewriting import rewritten
from kgenn.diagnostics import fail
from kgenn.ir.calibration_data import calibration_samples
from kgenn.ir.graph import Array, Graph
from kgenn.ir.network import Network
from kgenn.ir.samples import Samples, SamplesLike
from kgenn.layers.activation import ReLU
from kgenn.passes.max_pool import split_max_pools
from kgenn.registry import REPAIR, code_of_others


def settings_of(converter: Converter, calibration: Calibration) -> Settings:
    """Return what a converter chooses.

    Raises:
        KgennError: the converter's own; KG420 where it is another package's and fails, or chooses what is none.
    """
    if type(converter).__module__.partition(".")[0] == "kgenn":
        return converter.settings(calibration)
    where = f"converter {converter.name}"
    with code_of_others(where, "cannot choose scales"):
        settings = converter.settings(calibration)
    for problem in _problems(settings, calibration.graph):
        raise fail("KG420", where, problem, REPAIR)
    return settings


def _problems(settings: Any, graph: Graph) -> Iterator[str]:
    """Yield why settings are none for a lowered graph."""
    if not isinstance(settings, Settings) or not isinstance(settings.scales, Mapping):
        yield f"gives settings of type {type(settings).__name__}, not kgenn.conversion.base.Settings"
        return
    for node in graph.nodes:
        if not isinstance(node.layer, ReLU):
            continue
        if node.name not in settings.scales:
            yield f"gives no scale for {node.name}"
            continue
        scale, channels = np.asarray(settings.scales[node.name]), graph.shapes[node.name][-1]
        if scale.shape not in ((), (channels,)):
            yield f"gives {node.name} scales of shape {scale.shape}; () or ({channels},) are taken"
        elif scale.dtype.kind != "f" or not (np.isfinite(scale) & (scale > 0)).all():
            yield f"gives {node.name} scales that are not positive and finite"


@dataclass(frozen=True, eq=False)
class Conversion:
    """What a conversion gives.

    Attributes:
        network: ready to run.
        exact: the lowered model.
        lowered: the graph that the network was assembled from, with pieces in place of smooth activations.
        settings: what the converter chose.
        rounding: for each population the worst rounding of a weight to the grid, relative to the largest.
    """

    network: Network
    exact: Graph
    lowered: Graph
    settings: Settings
    rounding: Mapping[str, float]


def convert_graph(
    graph: Graph,
    recipe: Recipe,
    calibration: SamplesLike,
    num_timesteps: int,
    simulate: Simulate,
    memoise: Memoise = uncached,
    status: Status = silent,
    extremes: Samples | None = None,
) -> Conversion:
    """Convert a graph as read from a file.

    Args:
        calibration: samples as the model takes them; see `Graph.samples`.
        num_timesteps: T, at least 1; the length of a stage of the methods that work in stages.
        simulate: runs networks for the methods that calibrate by simulation.
        memoise: keeps what conversions of this graph with this calibration share; see `kgenn.conversion.base`.
        status: called with what is being computed where that takes long.
        extremes: samples with the ranges of the inputs, where those of the calibration are others.

    Raises:
        KgennError: KG2xx to KG4xx.
    """
    converter, readout = recipe.converter, recipe.readout
    exact = accepted(graph, recipe, memoise)
    checked_timesteps(converter, num_timesteps)
    samples = calibration_samples(calibration, exact.input_shapes, exact.naming)
    encoders, spikes = recipe.encoders_for(exact), spikes_before_data(recipe, exact)
    # what the graph depends on that values are of
    pieces = recipe.pieces(num_timesteps)
    key = (recipe.lowering, pieces, readout, spikes.key)
    lowered: Graph = memoise((*key, "rewritten"), lambda: rewritten(exact, pieces, spikes.pooled_inputs, samples))
    codes = tuple(encoder.code for encoder in encoders.values())
    ranges: dict[str, Array] = memoise((*key, codes, "ranges"), lambda: input_ranges(lowered, samples, encoders))
    lowered = with_input_ranges(lowered, ranges)
    ranged = samples if extremes is None else extremes
    assembler = assembler_of(lowered, converter, encoders, ranged, num_timesteps, recipe.seed)
    fan_in = most_sources(assembler.spike_range)
    assembler = replace(
        assembler,
        graph=split_max_pools(lowered, fan_in),
        memoise=memoise,
        weight_bits=recipe.lowering.weight_bits,
        channel_grids=recipe.lowering.weight_grid == "channel",
    )

    divided = tuple(map(tuple, ranges.values()))

    def of_graph(what: Hashable, compute: Callable[[], Any]) -> Any:
        return memoise((*key, fan_in, divided, what), compute)

    assembler = replace(assembler, moments=moments(assembler.graph, samples, of_graph))
    learnt_from = Calibration(assembler.graph, samples, num_timesteps, assembler.up_to, simulate, of_graph, status)
    steps = num_timesteps if recipe.depends_on_timesteps else None
    chosen = (converter, tuple(encoders.values()), steps, recipe.seed)
    settings: Settings = of_graph(chosen, lambda: settings_of(converter, learnt_from))
    assembler = assembler.with_layers(settings.layers).copying(settings.copies)
    draft = assembler.network(settings, readout)
    return Conversion(draft.network, exact, assembler.graph.noted(*settings.notes), settings, draft.rounding)
