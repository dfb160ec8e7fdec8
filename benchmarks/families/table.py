"""Turn the results of `python -m benchmarks.families` into the rows of the page of networks."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results.json")
REPORTS = Path(__file__).with_name("reports.json")  # of networks that people had problems with
SHOWN = ("few-spike 8", "few-spike 10", "few-spike 12", "data-norm 128")
HEAD = (
    "network",
    "input",
    "read, error",
    "neurons",
    "per activation",
    *SHOWN,
    "convert, CPU s",
    "g++, CPU s",
    "memory, GB",
)


def stored(path: Path = RESULTS) -> dict[str, Any]:
    """Return the rows by model."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def families_first(rows: Mapping[str, Any], names: Collection[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the rows of families, in the order of their names, and those of other networks, by name."""
    families = {name: rows[name] for name in names if name in rows}
    return families, {name: rows[name] for name in sorted(rows.keys() - families.keys())}


def family_rows(rows: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield the cells of `HEAD` for each model; a method that was not measured is an empty cell."""
    for name, row in rows.items():
        shape = ", ".join(" × ".join(map(str, each)) for each in row["shapes"])
        if row["refused"]:
            yield (name, shape, "", "refused", row["refused"][0], *[""] * (len(HEAD) - 5))
            continue
        methods = row["methods"]
        first = next(iter(methods.values()))
        yield (
            name,
            shape,
            f"{row['read']:.0e}",
            f"{first['neurons']:,}",
            f"{first['neurons'] / row['activations']:.1f}" if row["activations"] else "",
            *(f"{methods[m]['correlation']:.4f}" if m in methods else "" for m in SHOWN),
            _seconds(first["convert"]),
            _seconds(first["build"]),
            f"{row['memory'] / 1e9:.1f}",
        )


def _seconds(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"
