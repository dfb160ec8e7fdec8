"""The whole conversion: check the profile, lower, scale, assemble."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kgenn.conversion.assembly import assembler_of
from kgenn.conversion.base import Calibration, Converter, Recall, Settings, Simulate, anew
from kgenn.conversion.constraints import violations
from kgenn.conversion.max_pool import most_sources
from kgenn.diagnostics import KgennError, fail, known_names
from kgenn.encoders import encoders_of
from kgenn.encoders.base import Encoder
from kgenn.ir.graph import Array, Graph
from kgenn.ir.network import Network, ReadoutKind
from kgenn.layers.activation import ReLU
from kgenn.layers.pooling import MaxPool
from kgenn.passes import LoweringOptions, lower
from kgenn.passes.inserted import inserted
from kgenn.passes.max_pool import split_max_pools


@dataclass(frozen=True, eq=False)
class Conversion:
    """What a conversion gives.

    Attributes:
        network: ready to run.
        lowered: the graph it was assembled from.
        settings: what the converter chose.
        rounding: for each population the worst rounding of a weight to the grid, relative to the largest.
    """

    network: Network
    lowered: Graph
    settings: Settings
    rounding: Mapping[str, float]


def check_and_lower(
    graph: Graph,
    converter: Converter,
    allow: Collection[str],
    lowering: LoweringOptions,
    readout: ReadoutKind | None = None,
) -> Graph:
    """Return the lowered graph of a model inside the profile.

    Args:
        readout: the converter's default if not given.

    Raises:
        KgennError: every violation of the profile, in layer order.
    """
    chosen = converter.readouts[0] if readout is None else readout
    if chosen not in converter.readouts:
        what = f"the converter {converter.name} has no readout {chosen!r}"
        raise fail("KG401", "readout", what, known_names(chosen, converter.readouts))
    found = violations(graph, converter, allow)
    if found:
        raise KgennError(found)
    return fit_readout(lower(graph, lowering), chosen)


def fit_readout(graph: Graph, readout: ReadoutKind) -> Graph:
    """Make the output neurons that spike for a spike-count readout, and no ReLU for one of accumulated current."""
    (output,) = graph.outputs
    node = graph.by_name[output]
    is_relu = isinstance(node.layer, ReLU)
    if readout != "spike-count" and is_relu and not graph.consumers[output]:
        note = f"{output}: its ReLU is dropped, since the readout integrates what drives it"
        return replace(graph, outputs=node.inputs).pruned().noted(note)
    if readout == "spike-count" and not is_relu and not isinstance(node.layer, MaxPool):
        counted = inserted(node, output, "readout")
        return replace(graph, nodes=(*graph.nodes, counted), outputs=(counted.name,))
    return graph


def check_encoder(converter: Converter, encoder: Encoder) -> None:
    """Raise KG401 where the converter's neurons do not understand the encoder's spikes."""
    if encoder.code not in (None, converter.code):
        what = f"does not work with the converter {converter.name}"
        raise fail(
            "KG401", f"encoder {encoder.name}", what, known_names(encoder.name, encoders_of(converter.code))
        )


def convert_graph(
    graph: Graph,
    converter: Converter,
    encoder: Encoder,
    calibration: Array,
    num_timesteps: int,
    simulate: Simulate,
    allow: Collection[str] = (),
    lowering: LoweringOptions | None = None,
    readout: ReadoutKind | None = None,
    seed: int = 0,
    recall: Recall = anew,
) -> Conversion:
    """Convert a graph as read from a file.

    Args:
        calibration: samples as the model takes them, shape (N, *input shape).
        num_timesteps: T, at least 1; the length of a stage of the methods that work in stages.
        simulate: runs networks for the methods that calibrate by simulation.
        allow: features beyond the strict profile.
        readout: one of the converter's; its default if not given.
        seed: of the encoder's random numbers.
        recall: keeps what conversions of this graph with this calibration share; see `kgenn.conversion.base`.

    Raises:
        KgennError: KG2xx to KG4xx.
    """
    chosen = converter.readouts[0] if readout is None else readout
    lowering = lowering or LoweringOptions()
    lowered = check_and_lower(graph, converter, allow, lowering, chosen)
    check_encoder(converter, encoder)
    if num_timesteps < 1:
        raise fail("KG401", "timesteps", f"is {num_timesteps}; at least 1 is needed")
    converter.check(num_timesteps)
    calibration = np.asarray(calibration)
    if len(calibration) == 0 or calibration.shape[1:] != lowered.input_shape:
        what = f"has shape {calibration.shape}; the model takes samples of {lowered.input_shape}"
        raise fail("KG402", "calibration data", what, "give (N, *input shape), a few hundred training samples")
    assembler = assembler_of(lowered, converter, encoder, calibration, num_timesteps, seed)
    fan_in = most_sources(assembler.spike_range)
    assembler = replace(assembler, graph=split_max_pools(lowered, fan_in))

    def of_graph(key: Hashable, compute: Callable[[], Any]) -> Any:
        return recall((lowering, chosen, fan_in, key), compute)

    learnt_from = Calibration(assembler.graph, calibration, num_timesteps, assembler.up_to, simulate, of_graph)
    steps = num_timesteps if converter.depends_on_timesteps else None
    settings: Settings = of_graph((converter, encoder, steps, seed), lambda: converter.settings(learnt_from))
    draft = assembler.network(settings, chosen)
    return Conversion(draft.network, assembler.graph, settings, draft.rounding)
