"""A results directory: a line for each finished cell, appended whole, so that a sweep goes on where it ended.

sweep.json      what was asked for: experiments, published figures, the keys of their cells
cells.jsonl     a line for each finished cell, in the order in which they finished
results.jsonl   when all cells are finished, their lines in the order of the sweep, without host and cost
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kgenn.bench.json_object import SCHEMA
from kgenn.diagnostics import fail
from kgenn.files.checksums import IGNORE, IGNORE_ALL
from kgenn.files.durable import sync
from kgenn.files.output import unwritable, write_file
from kgenn.files.scratch import SUFFIX
from kgenn.registry import extra

SWEEP = "sweep.json"
CELLS = "cells.jsonl"
RESULTS = "results.jsonl"
LOCK = ".lock"
# Of a line, what is not the same on another machine or on another day.
PASSING = ("host", "cost")

Line = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Store:
    """An open results directory.

    Attributes:
        lines: of the finished cells, by key; the last line of a key counts.
    """

    directory: Path
    lines: dict[str, Line] = field(default_factory=dict)

    def append(self, line: Line) -> None:
        """Add the line of a cell: it is on the disk, whole, when this returns.

        Raises:
            KgennError: KG606 where it cannot be written.
        """
        content = _encoded(line)
        path = self.directory / CELLS
        try:
            file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                written = os.write(file, content)
                os.fsync(file)
            finally:
                os.close(file)
            if not self.lines:  # the file's name is new, too
                sync(self.directory)
        except OSError as error:
            raise unwritable(path, error) from error
        if written != len(content):
            raise fail(
                "KG606", str(path), "the disk is full", "make room and start again: finished cells are kept"
            )
        self.lines[line["key"]] = line

    def write_sweep(self, sweep: Mapping[str, Any]) -> None:
        """Write what is asked for, and drop the results of an earlier sweep that was finished."""
        with suppress(FileNotFoundError):
            (self.directory / RESULTS).unlink()
        text = json.dumps(sweep, indent=1, ensure_ascii=True, allow_nan=False) + "\n"
        write_file(self.directory / SWEEP, text.encode())

    def write_results(self, heads: Sequence[Line]) -> None:
        """Write the lines of all cells in order.

        Args:
            heads: for each cell its key, experiment and axes, as this sweep has them.
        """
        lines = ({**self.lines[head["key"]], **head} for head in heads)
        kept = ({name: value for name, value in line.items() if name not in PASSING} for line in lines)
        write_file(self.directory / RESULTS, b"".join(_encoded(line) for line in kept))


@contextmanager
def opened(directory: Path) -> Iterator[Store]:
    """Open a results directory, making it if need be, for this process alone.

    What a process that was killed left of its last line is cut off.

    Raises:
        KgennError: KG622 where it is in use, damaged or something else; KG606 where it cannot be written.
    """
    filelock = extra("filelock", "bench")
    _check(directory)
    try:
        new = not directory.exists()
        directory.mkdir(parents=True, exist_ok=True)
        if new:
            (directory / IGNORE).write_bytes(IGNORE_ALL)
        held = filelock.FileLock(directory / LOCK).acquire(timeout=0)
    except filelock.Timeout:
        what = "is in use by another kgenn bench"
        raise fail("KG622", str(directory), what, "wait for it, or give another directory") from None
    except OSError as error:
        raise unwritable(directory, error) from error
    with held:  # the system gives the lock back when this process ends, however it ends
        yield Store(directory, read_lines(directory, cut=True))


def read_lines(directory: Path, cut: bool = False) -> dict[str, Line]:
    """Return the lines of the finished cells by key, in the order in which they finished.

    Args:
        cut: shorten the file by a last line that is not whole; else pass over it.

    Raises:
        KgennError: KG622 for a whole line that is none of kgenn's, or of another version's schema.
    """
    path = directory / CELLS
    try:
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if cut and whole < len(content):
            os.truncate(path, whole)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise unwritable(path, error) from error
    lines: dict[str, Line] = {}
    for number, text in enumerate(content[:whole].splitlines(), start=1):
        line = _decoded(text, f"{path}:{number}")
        lines.pop(line["key"], None)
        lines[line["key"]] = line
    return lines


def _decoded(text: bytes, where: str) -> Line:
    try:
        line = json.loads(text)
        schema, known = line["schema"], {"key", "status", "axes"} <= line.keys()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        schema, known = None, False
    if not known or schema != SCHEMA:
        what = f"has schema {schema}, this kgenn reads {SCHEMA}" if known else "is not the line of a cell"
        raise fail("KG622", where, what, "delete the line; its cell runs again")
    return dict(line)


def _check(directory: Path) -> None:
    """Refuse a directory that holds something else than results, or files of others under their names."""
    if not directory.exists():
        return
    try:
        names = {path.name for path in directory.iterdir() if SUFFIX not in path.name} - {LOCK, IGNORE}
        # the lines of CELLS are looked at when they are read; without a sweep there is nothing else yet
        own = _is_sweep(directory / SWEEP) if SWEEP in names else names <= {CELLS}
    except OSError as error:
        raise unwritable(directory, error) from error
    if not own:
        what = "holds something else than the results of kgenn bench"
        raise fail("KG622", str(directory), what, "give another directory")


def _is_sweep(path: Path) -> bool:
    """Tell whether a file is the SWEEP of a kgenn, of this version or another."""
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and {"schema", "experiments"} <= found.keys()


def _encoded(line: Line) -> bytes:
    return json.dumps(line, ensure_ascii=True, allow_nan=False).encode() + b"\n"
