"""`kgenn check`: what each layer becomes, or everything that is wrong."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import click

from kgenn.api import as_graph
from kgenn.cli.console import print_diagnostics, print_hint, print_json, print_line, print_notes, print_table
from kgenn.cli.options import (
    PATH,
    allow_flag,
    converter_flag,
    encoder_flag,
    json_flag,
    lowering_flags,
    lowering_of,
    named_encoders,
    readout_flag,
    shape_flag,
    written,
)
from kgenn.conversion.constraints import mended_by
from kgenn.conversion.legality import Legality, legalise
from kgenn.conversion.plan import LayerPlan, plan
from kgenn.conversion.recipe import Recipe, recipe_of
from kgenn.diagnostics import EXIT_USER, Diagnostic, KgennError
from kgenn.ir.graph import Graph, Shape
from kgenn.ir.network import ReadoutKind
from kgenn.ir.words import counted, times
from kgenn.layers.populations import is_population
from kgenn.method_options import converter_of, encoders_of


@click.command()
@click.argument("model", type=PATH)
@converter_flag
@encoder_flag
@readout_flag
@allow_flag
@lowering_flags
@shape_flag
@json_flag
@click.pass_context
def check(
    context: click.Context,
    /,
    model: Path,
    converter: str,
    encoder: tuple[str, ...],
    readout: ReadoutKind | None,
    allow: tuple[str, ...],
    input_shape: Shape | dict[str, Shape] | None,
    as_json: bool,
    **lowering: Any,
) -> None:
    """Show what each layer of a model becomes, or what is wrong with it.

    MODEL is an .h5 or .keras file. If it leaves a size of its input open, pass --input-shape. All problems are
    printed to stderr, one entry for each kind, followed by the command that admits what options can admit; the
    exit code is then 1. A model that passes the check converts with the same options, unless a layer is inactive
    on the calibration data or has no grid.
    """
    head = {"model": model.name, "converter": converter, "allow": list(allow)}
    try:
        method = converter_of(converter, {})
        graph = as_graph(model, input_shape)
        common, own = encoders_of(named_encoders(encoder), method.default_encoder, {})
        recipe = recipe_of(method, common, allow, lowering_of(lowering), readout, encoders=own)
        legality = legalise(graph, recipe)
    except KgennError as error:
        if not as_json:
            raise
        print_json(_refused(head, error.diagnostics))
        print_diagnostics(error.diagnostics)
        context.exit(error.exit_code)
    if legality.problems:
        if as_json:
            print_json({**_refused(head, legality.problems), "features": list(mended_by(legality.problems))})
        print_diagnostics(legality.problems)
        _print_remedy(_command(model, converter, input_shape), legality.problems, recipe)
        context.exit(EXIT_USER)
    _print_plan(graph, legality, head if as_json else None, converter)


def _refused(head: dict[str, Any], problems: Sequence[Diagnostic]) -> dict[str, Any]:
    return {**head, "ok": False, "diagnostics": [problem.to_dict() for problem in problems]}


def _command(model: Path, converter: str, input_shape: Shape | dict[str, Shape] | None) -> list[str]:
    """Return the command line that checks the model, without the features that it admits."""
    shape = [] if input_shape is None else written(input_shape)
    return ["kgenn", "check", str(model), *shape, "--converter", converter]


def _print_remedy(command: Sequence[str], problems: Sequence[Diagnostic], recipe: Recipe) -> None:
    """Print the command that admits what options can admit, and what no option does."""
    features = mended_by(problems)
    rest = sum(not mended_by([problem]) for problem in problems)
    if features:
        allow = [word for feature in sorted({*recipe.allow, *features}) for word in ("--allow", feature)]
        print_hint(f"to allow these features: {shlex.join([*command, *allow])}")
    if features and rest:
        print_hint(f"{rest} of the problems above need a change of the model or of other options")


def _print_plan(graph: Graph, legality: Legality, head: dict[str, Any] | None, converter: str) -> None:
    """Print what each layer becomes, as one object where there is a head for it."""
    plans, notes = plan(graph, legality.written), legality.exact.notes
    if head is not None:
        layers = [{"layer": f.layer, "shape": list(f.shape), "becomes": f.becomes} for f in plans]
        print_json({**head, "ok": True, "diagnostics": [], "layers": layers, "notes": list(notes)})
        return
    print_table(("layer", "output shape", "becomes"), [(f.layer, times(f.shape), f.becomes) for f in plans])
    print_notes(notes)
    print_line(_summary(graph, legality.written, plans, converter))


def _summary(graph: Graph, lowered: Graph, plans: tuple[LayerPlan, ...], converter: str) -> str:
    hidden = [lowered.shapes[n.name] for n in lowered.nodes if is_population(n) and n.name not in lowered.inputs]
    count = sum(map(prod, hidden))
    return (
        f"{graph.name} converts with {converter}: {counted(len(plans), 'layer')} become "
        f"{counted(len(hidden), 'spiking population')} of {counted(count, 'neuron')}; "
        f"{graph.macs:,} multiply-accumulates in the model"
    )
