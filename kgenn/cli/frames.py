"""`kgenn frames`: events, binned to a frame for each timestep."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from kgenn.cli.console import print_json, print_line, working
from kgenn.cli.options import PATH, check_output, json_flag
from kgenn.cli.words import shapes_of
from kgenn.diagnostics import KgennError, fail
from kgenn.events.binning import bin_events
from kgenn.events.file import read_events
from kgenn.files.output import write_file
from kgenn.ir.graph import Shape
from kgenn.ir.serialise import npz_bytes
from kgenn.ir.words import counted, times


@click.command()
@click.argument("events", type=PATH)
@click.option(
    "--shape",
    multiple=True,
    required=True,
    callback=shapes_of,
    metavar="SIZE,…",
    help="Shape of a frame, such as 34,34,2.",
)
@click.option("--window", type=float, metavar="TIME", help="Duration of a timestep, in the events' unit.")
@click.option(
    "--timesteps", type=int, metavar="T", help="Number of frames.  [default: that of the longest recording]"
)
@click.option(
    "--counts", is_flag=True, help="Count the events of a timestep instead of marking that there is one."
)
@click.option("-o", "--output", type=PATH, required=True, metavar="OUT.npz", help="File to write.")
@json_flag
def frames(
    events: Path,
    shape: Shape | dict[str, Shape],
    window: float | None,
    timesteps: int | None,
    counts: bool,
    output: Path,
    as_json: bool,
) -> None:
    """Bin events to a frame for each timestep.

    EVENTS is an .npz file with the arrays t, x, y and p (times, columns, rows and polarities) of the events of
    all recordings, one after the other, or one structured array `events` with these fields, as in tonic's
    datasets. The array starts has the index of the first event of each recording; labels are optional. For
    sensors of one dimension omit y.

    The output has x of shape (N, T, …) and y, for kgenn compile --frames and for kgenn run.
    """
    check_output(output, events)
    if isinstance(shape, dict):
        raise fail("KG401", "--shape", "names an input", "give one shape, such as 34,34,2")
    with working("binning"):
        recordings, labels = read_events(events)
        with _of_file(events):
            made = bin_events(recordings, shape, window=window, timesteps=timesteps, counts=counts)
        arrays = {"x": made.x} if labels is None else {"x": made.x, "y": labels}
        write_file(output, npz_bytes(arrays))
    share = float(np.count_nonzero(made.x)) / made.x.size
    if as_json:
        figures = {"share": share, "window": made.window, "events": made.num_events, "cut": made.num_cut}
        figures["silent"] = made.num_silent
        print_json({"file": str(output), "shape": list(made.x.shape), **figures})
        return
    size = f"{counted(len(made.x), 'sample')} of {counted(made.x.shape[1], 'frame')} of {times(shape)}"
    print_line(f"{output}: {size}, {made.window:g} each; {100 * share:.2f} % of the values have events")
    if made.num_cut:
        print_line(f"{made.num_cut:,} of {made.num_events:,} events come later and are left out")
    if made.num_silent:
        print_line(f"{made.num_silent:,} of {counted(len(made.x), 'recording')} have no events")


@contextmanager
def _of_file(path: Path) -> Iterator[None]:
    """Name the file in the errors about its recordings, for a `with` block."""
    try:
        yield
    except KgennError as error:
        named = (replace(d, where=f"{path}, {d.where}") if d.code == "KG611" else d for d in error.diagnostics)
        raise KgennError(named) from error
