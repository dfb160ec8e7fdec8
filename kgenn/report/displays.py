"""What graphs, networks and results show of themselves; see `kgenn.display`."""

from __future__ import annotations

from functools import partial

from kgenn.comma_list import entry
from kgenn.display import Display, Grid
from kgenn.ir.graph import Graph
from kgenn.ir.network import Network
from kgenn.ir.timing import Timing
from kgenn.ir.words import times
from kgenn.metrics.result import Result
from kgenn.report.contents import NetworkContents, model_contents, network_contents, num_parameters, size_of
from kgenn.report.picture import model_picture, network_picture


def graph_display(graph: Graph) -> Display:
    """Return the layers of a model, with its picture."""
    rows = [
        (layer.origin, layer.contents, times(layer.shape), f"{layer.parameters:,}", f"{layer.macs:,}")
        for layer in model_contents(graph)
    ]
    grid = Grid(("layer", "contents", "output shape", ">parameters", ">MACs"), rows)
    line = f"{graph.name}: {num_parameters(graph):,} parameters, {graph.macs:,} multiply-accumulates"
    return Display([grid], [line], partial(model_picture, graph))


def network_display(network: Network, target: str | None = None) -> Display:
    """Return the populations and connections of a network, with its picture.

    Args:
        target: that it was compiled for.
    """
    contents = network_contents(network, target or "reference")
    frames = ", a frame of the input in each" if network.changing else ""
    steps = f"{network.num_timesteps:,} timesteps{frames}, latency {Timing(network).num_steps:,}"
    coding = f"{network.code_name} code, encoder {encoders_in_words(network)}, readout {network.readout}"
    head = network.name if target is None else f"{network.name} for {target}"
    sizes = (contents.weight_bytes, contents.packed_bytes, contents.state_bytes)
    weights, packed, state = map(size_of, sizes)
    lines = [
        f"{head}: {steps}; {coding}",
        f"memory: {weights} of weights as this target holds them, {packed} packed in their bits, "
        f"{state} of state for each sample",
    ]
    picture = partial(network_picture, network)
    return Display([_populations(contents), _connections(contents)], lines, picture)


def compiled_display(compiled: object) -> Display:
    """Return the populations and connections of a compiled network, with its picture."""
    artifact = compiled.artifact  # type: ignore[attr-defined]  # kgenn.compiled imports more than reports may
    return network_display(artifact.network, artifact.target)


def result_display(result: Result) -> Display:
    """Return the figures of a run."""
    return Display([Grid(("", ""), result.rows())], list(map(str, result.warnings)))


def encoders_in_words(network: Network) -> str:
    """Return the encoder of the input, or those of several with their names."""
    if len(network.inputs) == 1:
        return network.inputs[0].coding.encoder
    return ", ".join(entry(f"{i.name}={i.coding.encoder}") for i in network.inputs)


def _populations(contents: NetworkContents) -> Grid:
    columns = ("population", "shape", ">neurons", "neuron model", ">threshold", ">unit", ">λ", ">depth", "bias")
    rows = [
        (
            p.name,
            times(p.shape),
            f"{p.neurons:,}",
            p.neuron_model,
            "–" if p.threshold is None else f"{p.threshold:,.0f}",
            f"{p.unit:,.0f}",
            " to ".join(dict.fromkeys(f"{value:.4g}" for value in p.scale)),
            str(p.depth),
            "yes" if p.has_bias else "no",
        )
        for p in contents.populations
    ]
    return Grid(columns, rows)


def _connections(contents: NetworkContents) -> Grid:
    columns = ("from", "to", "kind", ">synapses", ">weights", ">bits", "grid", "held as", ">memory", "carries")
    rows = [
        (
            c.source,
            c.target,
            c.kind,
            f"{c.synapses:,}",
            f"{c.weights:,}",
            str(c.bits),
            c.grid,
            c.matrix,
            size_of(c.bytes),
            "constant current" if c.constant else "spikes",
        )
        for c in contents.connections
    ]
    return Grid(columns, rows)
