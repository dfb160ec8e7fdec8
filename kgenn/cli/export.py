"""`kgenn export`: a compiled network in the format of another tool."""

from __future__ import annotations

from pathlib import Path

import click

from kgenn.artifact import read_directory
from kgenn.cli.console import print_line, stage
from kgenn.cli.options import PATH, check_output
from kgenn.export import EXPORTERS
from kgenn.output import write_files


@click.command()
@click.argument("directory", type=PATH)
@click.option("--to", "target", required=True, metavar=f"[{'|'.join(EXPORTERS.names())}]", help="The format.")
@click.option("-o", "--output", type=PATH, required=True, metavar="FILE", help="The file to write.")
def export(directory: Path, target: str, output: Path) -> None:
    """Write a compiled network in the format of another tool.

    DIRECTORY is an output of kgenn compile. nir writes a graph that nir.read reads; ml-genn writes a Python
    program that builds an ml_genn Network, and beside it an .npz file with the weights.
    """
    exporter = EXPORTERS.get(target)()
    check_output(output)
    network = read_directory(directory).network
    with stage("exporting"):
        program = exporter.emit(network, output.name)
    write_files(output, program.files)
    for name, content in program.files.items():
        print_line(f"{output.parent / name}: {len(content):,} bytes")
