"""`kgenn inspect`: what a network or a model consists of, and a picture of it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from kgenn.api import as_graph
from kgenn.artifact.directory import Artifact, is_output, read_directory
from kgenn.cli.console import print_diagnostics, print_json, print_line, print_table
from kgenn.cli.options import PATH, check_output, json_flag, shape_flag
from kgenn.cli.pictures import Kind, kind_of
from kgenn.diagnostics import fail
from kgenn.display import Display
from kgenn.files.output import write_file
from kgenn.ir.graph import Graph, Shape
from kgenn.ir.network import Network
from kgenn.report.contents import model_contents, network_contents, num_parameters
from kgenn.report.displays import encoders_in_words, graph_display, network_display
from kgenn.report.picture import model_picture, network_picture
from kgenn.trace import read_trace


@click.command()
@click.argument("path", metavar="DIRECTORY|MODEL", type=PATH)
@click.option("--picture", type=PATH, metavar="OUT.svg|OUT.png", help="Draw the graph, or spikes with --raster.")
@click.option("--raster", type=PATH, metavar="TRACE.npz", help="Draw the spikes of a trace that kgenn run wrote.")
@click.option("--sample", type=click.IntRange(min=0), default=0, metavar="N", help="Sample of the trace, from 0.")
@shape_flag
@json_flag
def inspect(
    path: Path,
    picture: Path | None,
    raster: Path | None,
    sample: int,
    input_shape: Shape | dict[str, Shape] | None,
    as_json: bool,
) -> None:
    """Show the contents of a compiled network or a model.

    DIRECTORY is an output of kgenn compile. MODEL is an .h5 or .keras file; if it leaves a size of its input
    open, pass --input-shape.

    --raster draws the spikes of one sample over time, population by population, from a file that kgenn run
    --trace wrote.
    """
    check_output(picture, path, raster)
    if raster is not None and picture is None:
        raise click.UsageError("--raster draws a picture: pass --picture OUT.png")
    kind = "svg" if picture is None else kind_of(picture, always=raster is not None)
    saved_model = (path / "saved_model.pb").exists()
    if is_output(path) or (path.is_dir() and not saved_model):
        if input_shape is not None:
            raise click.UsageError("--input-shape is for model files; a compiled network has its input shape")
        artifact = read_directory(path)
        drawing = _drawn(artifact.network, raster, sample, kind) if picture else b""
        if as_json:
            print_json(_network_json(artifact))
        else:
            _print(network_display(artifact.network, artifact.target))
            print_diagnostics(artifact.network.warnings)
    else:
        graph = as_graph(path, input_shape)
        if raster is not None:
            raise click.UsageError("--raster is for compiled networks; a model has no spikes")
        drawing = model_picture(graph, kind) if picture else b""
        print_json(_model_json(graph)) if as_json else _print(graph_display(graph))
    if picture is not None:
        write_file(picture, drawing)


def _drawn(network: Network, raster: Path | None, sample: int, kind: Kind) -> bytes:
    """Return the picture of a network, or of the spikes of a sample."""
    if raster is None:
        return network_picture(network, kind)
    from kgenn.report.run_pictures import raster_picture

    trace = read_trace(raster)
    names = {p.name: p.size for p in network.spiking}
    if names != {name: spikes.size for name, spikes in trace.populations.items()}:
        advice = "give a file that kgenn run --trace wrote of this network"
        raise fail("KG601", str(raster), "is a trace of other populations", advice)
    if sample >= trace.num_samples:
        raise fail("KG401", "--sample", f"is {sample}; the trace has {trace.num_samples:,} samples, from 0")
    title = f"Spikes of {network.name}, sample {sample}"
    return raster_picture(trace, sample, kind, title)


def _print(display: Display) -> None:
    for grid in display.grids:
        print_table(grid.columns, grid.rows)
    for line in display.lines:
        print_line(line)


def _network_json(artifact: Artifact) -> dict[str, Any]:
    network = artifact.network
    return {
        "kind": "network",
        "name": network.name,
        "target": artifact.target,
        "num_timesteps": network.num_timesteps,
        "encoder": encoders_in_words(network),
        "readout": network.readout,
        "schedule": network.code.schedule,
        "seed": network.seed,
        "ann_macs": network.ann_macs,
        **asdict(network_contents(network, artifact.target)),
        "record": dict(artifact.network.origin),
    }


def _model_json(graph: Graph) -> dict[str, Any]:
    return {
        "kind": "model",
        "name": graph.name,
        "parameters": num_parameters(graph),
        "macs": graph.macs,
        "layers": [asdict(layer) for layer in model_contents(graph)],
        "outputs": list(graph.ends),
    }
