"""Show on stderr how a sweep goes on: a live display on a terminal, else a line for each cell."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from kgenn.bench.rerun import CellTask
from kgenn.bench.rows import FAILED, measured
from kgenn.bench.store import Line
from kgenn.bench.sweep import Watcher
from kgenn.cli.console import clean
from kgenn.tasks.metric import written

# Cells under way that are shown one by one.
MAX_SHOWN = 16


@contextmanager
def display(total: int, left: int) -> Iterator[Watcher]:
    """Show the progress of a sweep.

    Args:
        total: its cells.
        left: those that are not finished yet.
    """
    if not sys.stderr.isatty():
        yield Lines(total, left)
        return
    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    watcher = Screen(total, left)
    with Live(watcher, console=console, refresh_per_second=4, transient=True):
        yield watcher


class Lines:
    """A line for each finished cell."""

    def __init__(self, total: int, left: int) -> None:
        self.total, self.done = total, total - left
        if self.done:
            click.echo(f"{self.done:,} of {total:,} cells are finished already", err=True)

    def started(self, task: CellTask) -> None:
        """Say nothing: the end of a cell is a line."""

    def finished(self, task: CellTask, line: Line) -> None:
        """Print the line of a cell."""
        self.done += 1
        seconds = f"{line['cost'].get('total_seconds', 0):.1f} s"
        click.echo(clean(f"[{self.done:,}/{self.total:,}] {task.cell}: {outcome(line)}, {seconds}"), err=True)


class Screen:
    """A progress bar, and the cells under way."""

    def __init__(self, total: int, left: int) -> None:
        self.failed = 0
        self.running: dict[str, tuple[str, float]] = {}
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
        self.bar = Progress(*columns, TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
        self.task = self.bar.add_task("cells", total=total, completed=total - left)

    def started(self, task: CellTask) -> None:
        """Show a cell."""
        self.running[task.key] = (clean(str(task.cell)), time.monotonic())

    def finished(self, task: CellTask, line: Line) -> None:
        """Count a cell, and show it no more."""
        self.running.pop(task.key, None)
        self.failed += line["status"] == FAILED
        self.bar.update(
            self.task, advance=1, description=f"cells, {self.failed:,} failed" if self.failed else "cells"
        )

    def __rich__(self) -> RenderableType:
        cells = sorted(self.running.values(), key=lambda entry: entry[1])
        now = time.monotonic()
        rows: list[Any] = [Text(f"{now - since:6.0f} s  {name}", style="dim") for name, since in cells[:MAX_SHOWN]]
        if len(cells) > MAX_SHOWN:
            rows.append(Text(f"          and {len(cells) - MAX_SHOWN:,} more", style="dim"))
        return Group(self.bar, *rows)


def outcome(line: Line) -> str:
    """Return what a cell gave, in a few words."""
    if line["result"] is None:
        return f"failed, {', '.join(entry['code'] for entry in line['error'])}"
    metric, value, _ = measured(line["result"])
    return written(metric, value)
