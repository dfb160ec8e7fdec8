"""Print results to stdout, and diagnostics and progress to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from kgenn.diagnostics import Diagnostic, Severity, fail, grouped

# Columns of tables in a file or a pipe.
WIDTH = 160
# Columns between two columns of a table.
GAP = 3
COLOURS: Mapping[Severity, str] = {"error": "red", "warning": "yellow"}


def clean(text: str) -> str:
    """Return a text with U+FFFD for what could steer a terminal or cannot be printed; names come from files."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


@contextmanager
def printing() -> Iterator[None]:
    """Turn what goes wrong while results are printed into a diagnostic; a reader that leaves is none.

    Raises:
        KgennError: KG606 where standard output cannot be written.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise fail("KG606", "standard output", f"cannot be written: {error.strerror or error}") from error


def _print(text: str) -> None:
    with printing():
        click.echo(text)


def print_line(text: str = "") -> None:
    """Print a line of a result."""
    _print(clean(text))


def print_json(value: Mapping[str, Any]) -> None:
    """Print the one object of `--json`, a line for each entry."""
    entries = [f"  {json.dumps(key)}: {json.dumps(item, allow_nan=False)}" for key, item in value.items()]
    _print("{\n" + ",\n".join(entries) + "\n}")


def print_diagnostics(diagnostics: Iterable[Diagnostic]) -> None:
    """Print each kind of diagnostic to stderr; on a terminal an error's code is red, a warning's yellow."""
    for diagnostic in grouped(diagnostics):
        head, rest = diagnostic.label, clean(diagnostic.for_terminal()).removeprefix(diagnostic.label)
        with suppress(OSError):  # the exit code tells it too
            click.echo(click.style(head, fg=COLOURS[diagnostic.severity], bold=True) + rest, err=True)


def print_hint(text: str) -> None:
    """Print to stderr what to do about the diagnostics before it."""
    with suppress(OSError):
        click.echo(clean(text), err=True)


def print_notes(notes: Iterable[str]) -> None:
    """Print what passes did or declined to do."""
    for note in notes:
        print_line(f"note: {note}")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], highlight: int | None = None) -> None:
    """Print a table: as wide as the terminal, or wider where a word or a number would be cut otherwise.

    Args:
        columns: the headings; one that starts with ">" is of a column of numbers. All empty: no headings.
        rows: the cells.
        highlight: the index of a row to stress; a terminal shows it in bold yellow.
    """
    cells = [tuple(map(clean, row)) for row in rows]
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, show_header=any(columns), header_style="bold")
    whole: list[int] = []  # widths of columns that stay as they are
    words: list[int] = []  # the longest word of each of the others
    for index, column in enumerate(columns):
        name, texts = column.removeprefix(">"), [row[index] for row in cells]
        unbroken = name != column or not any(" " in text for text in texts)
        if unbroken:
            whole.append(max(map(cell_len, (name, *texts))))
        else:
            words.append(max(cell_len(word) for text in (name, *texts) for word in text.split(" ")))
        table.add_column(name, justify="right" if name != column else "left", no_wrap=unbroken)
    for index, row in enumerate(cells):
        table.add_row(*row, style="bold yellow" if index == highlight else None)
    console = Console(markup=False, emoji=False, highlight=False)
    # rich shrinks columns of text to equal widths
    least = sum(whole) + len(words) * max(words, default=0) + GAP * (len(columns) - 1)
    console.width = max(least, console.width if console.is_terminal else WIDTH)
    with printing(), console.capture() as capture:  # rich tries where it would print
        console.print(table)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    _print("\n".join([*lines, ""]))


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on stderr where that is a terminal; yield what to call with each number finished."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.advance(task, done)


@contextmanager
def working(label: str) -> Iterator[Callable[[str], None]]:
    """Show on stderr, where that is a terminal, what is being worked on; yield what to call to change it."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    with Console(stderr=True).status(label) as status:
        yield lambda text: status.update(text)
