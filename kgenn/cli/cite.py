"""`kgenn cite`: BibTeX of what a compiled network used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from kgenn.artifact.credits import Credit, credits_of, method_credits
from kgenn.artifact.directory import read_directory
from kgenn.cli.console import print_json, print_line
from kgenn.cli.options import PATH, json_flag
from kgenn.cli.words import Known
from kgenn.conversion import CONVERTERS


@click.command()
@click.argument("directory", type=PATH, required=False)
@click.option(
    "--method",
    type=Known(CONVERTERS.names),
    metavar="NAME",
    help="Print the entries of a method instead; see kgenn list methods.",
)
@json_flag
def cite(directory: Path | None, method: str | None, as_json: bool) -> None:
    """Print the BibTeX of what a compiled network used.

    DIRECTORY is an output of kgenn compile; its manifest and populations show what was used.
    """
    if directory is not None and method is None:
        artifact = read_directory(directory)
        if "converter" not in artifact.network.origin and not as_json:
            print_line("% the directory does not name its converter: add what kgenn cite --method NAME prints\n")
        found = credits_of(artifact)
    elif method is not None and directory is None:
        found = method_credits(method)
    else:
        raise click.UsageError("give either DIRECTORY or --method NAME")
    if as_json:
        print_json({"references": _plain(found)})
        return
    print_line("\n\n".join(credit.bibtex for credit in found) or f"% {method} has no source of its own")


def _plain(found: Sequence[Credit]) -> list[dict[str, object]]:
    return [
        {
            "key": credit.reference.key,
            "kind": credit.reference.kind,
            "used_for": list(credit.reasons),
            "fields": dict(credit.reference.fields),
        }
        for credit in found
    ]
