"""`kgenn verify`: whether a compiled network is whole, and runs as it should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kgenn.artifact.verification import Verification
from kgenn.artifact.verification import verify as verified
from kgenn.cli.console import print_diagnostics, print_json, print_line, working
from kgenn.cli.options import PATH, json_flag, run_flags, run_options_of
from kgenn.diagnostics import KgennError


@click.command()
@click.argument("directory", type=PATH)
@run_flags
@json_flag
@click.pass_context
def verify(context: click.Context, /, directory: Path, as_json: bool, **options: Any) -> None:
    """Check that a compiled network is complete and runs as it should.

    DIRECTORY is an output of kgenn compile. Each of its files is compared with its checksum in SHA256SUMS (as
    sha256sum --check does), and a built library with its own. If no file was changed, a few stored samples run
    on the directory's target, and every spike count and score is compared with that of the NumPy reference at
    compile time. With --edited the samples run on changed sources too.

    Differences are listed by file and by population, and the exit code is then 1. It is 3 if the samples cannot
    run because a compiler or pygenn is missing.

    Checksums show integrity, not authenticity. They reveal accidents and edits, but whoever can change a file
    can change its checksum. Running the samples builds and loads the directory's code with your rights, so
    verify a directory only if you trust its author. kgenn inspect, export, cite and run --target reference run
    none of it.
    """
    with working("verifying"):
        found = verified(directory, run_options_of(options))
    if as_json:
        print_json(found.to_dict())
    else:
        _print(found)
    if found.problems:
        print_diagnostics(found.problems)
        context.exit(KgennError(found.problems).exit_code)


def _print(found: Verification) -> None:
    wrong = sum(problem.code == "KG640" for problem in found.problems)
    print_line(f"files     {found.files:,} compared with SHA256SUMS, {_verdict(wrong)}")
    if not found.samples:
        print_line("samples   not run")
        return
    wrong = sum(problem.code == "KG642" for problem in found.problems)
    ran = f"{found.samples} run for {found.timesteps:,} timesteps on {found.target}"
    print_line(f"samples   {ran}: {found.spikes:,} spikes, {_verdict(wrong)}")


def _verdict(wrong: int) -> str:
    return f"{wrong:,} differ" if wrong else "all as expected"
