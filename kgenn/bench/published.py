"""Read the figures of the literature that a configuration compares with."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from kgenn.bench.experiment import Cell
from kgenn.bench.rows import Published
from kgenn.bench.scope import ConfigTable, ConfigValue
from kgenn.diagnostics import KgennError, known_names

FIGURES = ("ann", "accuracy", "spikes-per-neuron", "synaptic-operations")


def published_of(table: ConfigTable, known: Sequence[str], cells: Sequence[Cell]) -> Published:
    """Return a figure after checking that there is a cell for it."""
    problems = list(table.unknown(("where", "label", *FIGURES)))
    where = table.need("where", 'say which cells: where = { converter = "few-spike" }').table()
    problems += where.unknown(known)
    if problems:
        raise KgennError(problems)
    figures = {key.replace("-", "_"): _number(table.get(key)) for key in FIGURES if key in table.values}
    if not figures:
        raise table.place.fail("gives no figure", f"give one of {', '.join(FIGURES)}")
    label = table.get("label")
    published = Published(dict(where.values), label=None if label is None else label.text(), **figures)
    if not any(published.matches(cell.axes) for cell in cells):
        raise _unmatched(where, cells)
    return published


def _unmatched(where: ConfigTable, cells: Sequence[Cell]) -> KgennError:
    """Return the error of a figure that no cell compares with, at the first value that no cell has."""
    for name, value in where.values.items():
        there = {str(cell.axes[name]) for cell in cells if name in cell.axes}
        if str(value) not in there:
            return (where.place / name).fail(f"no cell has the {name} {value!r}", known_names(str(value), there))
    return where.place.fail("no cell has all of these values", "see them with kgenn bench --dry-run")


def _number(found: ConfigValue | None) -> float:
    assert found is not None, "the key is there"
    value = found.value
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not isfinite(value) or value < 0:
        raise found.place.fail(f"{found.key} is {value!r}", "give a number that is not negative")
    return value
