"""`kgenn report`: a page, a table and plots of a sweep, and which published figures it meets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from kgenn.cli.console import print_json, print_line, print_table, working
from kgenn.cli.options import PATH, json_flag, overwrite_flag
from kgenn.export.base import optional
from kgenn.files.checksums import SUMS, sums
from kgenn.files.output import OutputKind, refuse_directory, write_directory
from kgenn.report.sweep.results import Results, read_results
from kgenn.report.sweep.table import Verdict, title, verdicts, written


@click.command()
@click.argument("results", type=PATH)
@click.option("-o", "--output", type=PATH, metavar="DIR", help="Directory to write; RESULTS/report by default.")
@click.option("--check", is_flag=True, help="List which published figures are met; exit with 1 if one is missed.")
@overwrite_flag
@json_flag
@click.pass_context
def report(
    context: click.Context, results: Path, output: Path | None, check: bool, overwrite: bool, as_json: bool
) -> None:
    """Report a sweep: tables with published figures, plots, CSV.

    RESULTS is an output directory of kgenn bench; the sweep may still be running. The command writes index.html,
    which needs no other file, cells.csv with a row for each cell, plots/ with each plot as PNG, and their
    checksums.

    A published accuracy is met if ours is at least the same share of its ANN's accuracy. Published spikes and
    operations are met if ours are at most as many. With --check, a report is written only if -o is given.
    """
    found = read_results(results)
    summary: dict[str, object] = {}
    if output is not None or not check:
        summary = _write(found, output or results / "report", overwrite, quiet=as_json)
    judged = verdicts(found)
    missed = [verdict for verdict in judged if not verdict.met]
    if as_json:
        figures = {"met": len(judged) - len(missed), "missed": len(missed)}
        print_json({**summary, **figures, "figures": [verdict.to_json() for verdict in judged]})
    elif check:
        _print(judged)
    if check and missed:
        context.exit(1)


def _write(found: Results, output: Path, overwrite: bool, quiet: bool) -> dict[str, object]:
    optional("matplotlib", "pip install 'kgenn[report]'")
    refuse_directory(output, REPORT, overwrite)
    from kgenn.report.sweep.page import PAGE, report_files

    with working("drawing"):
        files = report_files(found)
        write_directory(output, {**files, SUMS: sums(files)}, REPORT, overwrite)
    if not quiet:
        for note in found.notes:
            print_line(f"note: {note}")
        print_line(str(output / PAGE))
    return {"directory": str(output), "files": sorted(files), "notes": list(found.notes)}


def _is_report(directory: Path) -> bool:
    return (directory / "index.html").is_file() and (directory / SUMS).is_file()


REPORT = OutputKind("kgenn report", _is_report)


def _print(judged: Sequence[Verdict]) -> None:
    if not judged:
        print_line("no published figures to compare with")
        return
    rows = [
        (
            v.experiment,
            title(v),
            v.figure,
            written(v.figure, v.published),
            written(v.figure, v.ours) if v.ours is not None else v.reason,
            "met" if v.met else "MISSED",
        )
        for v in judged
    ]
    print_table(("experiment", "cells", "figure", ">published", ">ours", ""), rows)
    print_line(f"{sum(v.met for v in judged)} of {len(judged)} published figures met")
