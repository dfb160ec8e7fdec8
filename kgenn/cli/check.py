"""`kgenn check`: what each layer becomes, or everything that is wrong."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any, get_args

import click

from kgenn.api import as_graph
from kgenn.cli.console import print_json, print_line, print_notes, print_table
from kgenn.cli.options import PATH, READOUT, allow_flag, json_flag, lowering_flags, lowering_of
from kgenn.conversion.convert import check_and_lower
from kgenn.conversion.plan import Fate, plan
from kgenn.conversion.recipe import recipe_of
from kgenn.conversion.rewriting import rewritten
from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Graph
from kgenn.ir.network import ReadoutKind
from kgenn.ir.words import times
from kgenn.layers.populations import is_population
from kgenn.methods import converter_of, encoder_of


@click.command()
@click.argument("model", type=PATH)
@click.option(
    "--converter", default="data-norm", show_default=True, metavar="NAME", help="See kgenn list methods."
)
@click.option("--encoder", metavar="NAME", help="See kgenn list encoders.  [default: the converter's]")
@click.option("--readout", metavar=f"[{'|'.join(get_args(ReadoutKind))}]", help=READOUT)
@allow_flag
@lowering_flags
@json_flag
def check(
    model: Path,
    converter: str,
    encoder: str | None,
    readout: ReadoutKind | None,
    allow: tuple[str, ...],
    as_json: bool,
    **lowering: Any,
) -> None:
    """Show what each layer of a model becomes, or what is wrong with it.

    MODEL is an .h5 or .keras file. All violations of the profile are printed to stderr in layer order, with what
    mends them, and the exit code is then 1; where there is none, so is all that no connection or neuron can be. A
    model that is approved here converts with the same options, unless its calibration data leave a layer silent or
    without a grid.
    """
    head = {"model": model.name, "converter": converter, "allow": list(allow)}
    try:
        method = converter_of(converter, {})
        graph = as_graph(model)
        coder = None if encoder is None else encoder_of(encoder, {})
        recipe = recipe_of(method, coder, allow, lowering_of(lowering), readout)
        lowered = check_and_lower(graph, recipe, thorough=True)
    except KgennError as error:
        if as_json:
            print_json({**head, "ok": False, "diagnostics": [d.to_dict() for d in error.diagnostics]})
        raise
    written = rewritten(lowered, recipe.lowering)
    fates = plan(graph, written)
    if as_json:
        layers = [{"layer": f.layer, "shape": list(f.shape), "becomes": f.becomes} for f in fates]
        print_json({**head, "ok": True, "diagnostics": [], "layers": layers, "notes": list(lowered.notes)})
        return
    print_table(("layer", "output shape", "becomes"), [(f.layer, times(f.shape), f.becomes) for f in fates])
    print_notes(lowered.notes)
    print_line(_summary(graph, written, fates, converter))


def _summary(graph: Graph, lowered: Graph, fates: tuple[Fate, ...], converter: str) -> str:
    hidden = [lowered.shapes[n.name] for n in lowered.nodes if is_population(n) and n.name not in lowered.inputs]
    count = sum(map(prod, hidden))
    return (
        f"{graph.name} converts with {converter}: {len(fates)} layers become {len(hidden)} spiking populations "
        f"of {count:,} neurons; {graph.macs:,} multiply-accumulates in the model"
    )
