"""The whole conversion: check the profile, lower, scale, assemble."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from kgenn.conversion.assemble import assemble
from kgenn.conversion.base import Converter
from kgenn.conversion.constraints import violations
from kgenn.diagnostics import KgennError, fail, known_names
from kgenn.encoders.base import Encoder
from kgenn.ir.graph import Array, Graph, Node
from kgenn.ir.network import DEFAULT_READOUT, Network, ReadoutKind
from kgenn.layers.activation import ReLU
from kgenn.passes import LoweringOptions, lower


@dataclass(frozen=True, eq=False)
class Conversion:
    """What a conversion gives.

    Attributes:
        network: ready to run.
        lowered: the graph it was assembled from.
        rounding: for each population the worst rounding of a weight to the grid, relative to the largest.
    """

    network: Network
    lowered: Graph
    rounding: Mapping[str, float]


def check_and_lower(
    graph: Graph, converter: Converter, allow: Collection[str], lowering: LoweringOptions, readout: ReadoutKind
) -> Graph:
    """Return the lowered graph of a model inside the profile.

    Raises:
        KgennError: every violation of the profile, in layer order.
    """
    if readout not in get_args(ReadoutKind):
        raise fail("KG401", "readout", f"unknown readout {readout!r}", known_names(readout, get_args(ReadoutKind)))
    found = violations(graph, converter, allow)
    if found:
        raise KgennError(found)
    return fit_readout(lower(graph, lowering), readout)


def fit_readout(graph: Graph, readout: ReadoutKind) -> Graph:
    """Make the output a ReLU for a spike-count readout, and no ReLU for one of accumulated current."""
    (output,) = graph.outputs
    node = graph.by_name[output]
    is_relu = isinstance(node.layer, ReLU)
    if readout != "spike-count" and is_relu and not graph.consumers[output]:
        note = f"{output}: its ReLU is dropped, since the readout integrates what drives it"
        return replace(graph, outputs=node.inputs).pruned().noted(note)
    if readout == "spike-count" and not is_relu:
        counted = Node(f"{output}/relu", ReLU(), (output,), node.origin)
        return replace(graph, nodes=(*graph.nodes, counted), outputs=(counted.name,))
    return graph


def convert_graph(
    graph: Graph,
    converter: Converter,
    encoder: Encoder,
    calibration: Array,
    num_timesteps: int,
    allow: Collection[str] = (),
    lowering: LoweringOptions | None = None,
    readout: ReadoutKind = DEFAULT_READOUT,
    seed: int = 0,
) -> Conversion:
    """Convert a graph as read from a file.

    Args:
        calibration: samples as the model takes them, shape (N, *input shape).
        num_timesteps: T, at least 1.
        allow: features beyond the strict profile.
        readout: accumulated current, later steps counting more or all alike, or spike count.
        seed: of the encoder's random numbers.

    Raises:
        KgennError: KG2xx to KG4xx.
    """
    lowered = check_and_lower(graph, converter, allow, lowering or LoweringOptions(), readout)
    if num_timesteps < 1:
        raise fail("KG401", "timesteps", f"is {num_timesteps}; at least 1 is needed")
    calibration = np.asarray(calibration)
    if len(calibration) == 0 or calibration.shape[1:] != lowered.input_shape:
        what = f"has shape {calibration.shape}; the model takes samples of {lowered.input_shape}"
        raise fail("KG402", "calibration data", what, "give (N, *input shape), a few hundred training samples")
    network, rounding = assemble(lowered, converter, encoder, calibration, num_timesteps, readout, seed)
    return Conversion(network, lowered, rounding)
