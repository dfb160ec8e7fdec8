"""Read the results directory of `kgenn bench`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kgenn.bench.json_object import JsonPath, Object, parse
from kgenn.bench.rows import ExperimentRecord, Row
from kgenn.bench.store import CELLS, RESULTS, SWEEP
from kgenn.diagnostics import KgennError, fail

# The first that is there is read; the second has no host and no cost.
ROWS = (CELLS, RESULTS)
ADVICE = "give the output directory of kgenn bench"


@dataclass(frozen=True)
class Results:
    """A sweep and its finished cells.

    Attributes:
        experiments: in the order of the sweep.
        rows: each finished cell by its key; of a cell that ran twice, the last.
        hashes: the SHA-256 of each file that was read.
        notes: what was left out, for the reader.
    """

    experiments: tuple[ExperimentRecord, ...]
    rows: Mapping[str, Row]
    hashes: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def finished(self, experiment: ExperimentRecord) -> tuple[Row, ...]:
        """Return the finished cells of an experiment, in the order of the sweep, with their axes there."""
        axes = experiment.axes or [None] * len(experiment.cells)
        pairs = [(self.rows[k], own) for k, own in zip(experiment.cells, axes, strict=True) if k in self.rows]
        return tuple(row if own is None else replace(row, axes=own) for row, own in pairs)


def read_results(directory: Path) -> Results:
    """Read a results directory, of a sweep that is finished or still under way.

    Raises:
        KgennError: KG630 where it is none, KG631 where a file is damaged. A last line that was cut off is not
            damage: it is a cell that a killed run had not finished writing.
    """
    sweep, rows_path = directory / SWEEP, next((p for n in ROWS if (p := directory / n).is_file()), None)
    if rows_path is None or not sweep.is_file():
        raise fail("KG630", str(directory), f"has no {SWEEP} and {' or '.join(ROWS)}", ADVICE)
    texts = {path: _read(path) for path in (sweep, rows_path)}
    place = JsonPath(str(sweep))
    top = Object.of(parse(_text(texts[sweep], sweep), place), place)
    top.check_schema()
    experiments = top.list("experiments", ExperimentRecord.from_json)
    rows, torn = _rows(texts[rows_path], rows_path)
    known = {key for experiment in experiments for key in experiment.cells}
    others = sum(key not in known for key in rows)
    notes = [f"{rows_path.name} ends in a line that was cut off; it was left out"] if torn else []
    notes += [f"{others} finished cells belong to no experiment of {SWEEP}"] if others else []
    hashes = {path.name: hashlib.sha256(content).hexdigest() for path, content in texts.items()}
    return Results(experiments, rows, hashes, tuple(notes))


def _rows(content: bytes, path: Path) -> tuple[dict[str, Row], bool]:
    """Return the rows by key, and whether the last line was torn."""
    *lines, rest = content.split(b"\n")
    rows, torn = {}, False
    for number, line in enumerate([*lines, rest] if rest else lines, 1):
        place = JsonPath(f"{path}:{number}")
        try:
            row = Row.from_json(parse(_text(line, path, number), place), place)
        except KgennError:
            if number <= len(lines):
                raise
            torn = True
        else:
            rows[row.key] = row
    return rows, torn


def _text(content: bytes, path: Path, line: int = 1) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise fail("KG631", f"{path}:{line}", f"is not UTF-8: {error.reason}", ADVICE) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise fail("KG630", str(path), f"cannot be read: {error.strerror or error}", ADVICE) from error
