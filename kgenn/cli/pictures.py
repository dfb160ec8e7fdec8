"""What commands that draw share: the kind of a picture by its file, and what drawing needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import click

from kgenn.cli.options import PATH, check_output
from kgenn.compiled import CompiledNetwork
from kgenn.data.load import Data
from kgenn.diagnostics import fail
from kgenn.export.base import optional
from kgenn.files.output import write_file
from kgenn.metrics.compared_output import form_of
from kgenn.metrics.result import Result

Kind = Literal["svg", "png"]


# Samples that a picture of outputs is made of; maps and signals are drawn of the first few.
SAMPLES = 200

outputs_flag = click.option(
    "--picture", type=PATH, metavar="OUT.svg|OUT.png", help="Draw maps, signals and values next to the model's."
)


def check_picture(path: Path | None, *others: Path | None) -> None:
    """Try ahead of all work whether a picture can be drawn and written; see `check_output`.

    Raises:
        KgennError: KG606, and as `kind_of`.
    """
    check_output(path, *others)
    if path is not None:
        kind_of(path, always=True)


def draw_outputs(
    path: Path, network: CompiledNetwork, data: Data, result: Result, kinds: Mapping[str, Any]
) -> None:
    """Draw what outputs say beside the model's.

    Raises:
        KgennError: KG401 where no output is a map, a signal or a value, and as `kind_of`.
    """
    kind = kind_of(path, always=True)
    from kgenn.report.run_pictures import outputs_picture

    count = min(SAMPLES, len(data))
    every = network.compared_outputs(data.x, data.y, result, count, **kinds)
    found = {name: output for name, output in every.items() if form_of(output) is not None}
    if not found:
        tasks = ", ".join(f"{name} ({output.task.name})" for name, output in every.items())
        raise fail("KG401", "--picture", f"no output is a map, a signal or a value: {tasks}", "leave it out")
    inputs = network.network.samples(data.x)[:count].arrays
    write_file(path, outputs_picture(found, inputs, kind, f"{network.network.name}, T = {result.num_timesteps}"))


def kind_of(path: Path, always: bool = False) -> Kind:
    """Return what a picture is to be, by the end of its name; an SVG where it has none.

    Args:
        always: it takes matplotlib whatever it is to be; else a PNG alone does.

    Raises:
        KgennError: KG401 for another end, KG508 where matplotlib is not installed.
    """
    end = path.suffix.lower().removeprefix(".") or "svg"
    if end not in ("svg", "png"):
        raise fail("KG401", "--picture", f"is {path}", "give a name that ends in .svg or .png")
    if always or end == "png":
        optional("matplotlib", "pip install 'kgenn[report]'")
    return "png" if end == "png" else "svg"
