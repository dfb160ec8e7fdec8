"""Keep the figures of `configs/costs.toml` for the page of costs.

    kgenn bench configs/costs.toml --models MODELS --data DATA -o results
    kgenn report results
    python -m benchmarks.zoo.costs results/report/cells.csv

The last command stores each cell in `costs.json`, in place of an older one of the same network, method
and T. `python -m benchmarks.tables` writes docs/measured/costs.md from this file.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.zoo.files import save_json

RESULTS = Path(__file__).with_name("costs.json")
HEAD = (
    "method",
    "T",
    "accuracy",
    "loss",
    "spikes per neuron",
    "operations / MACs",
    "integers, µJ",
    "with memory, µJ",
    "twin, bits",
    "its accuracy",
    "integers, µJ",
    "with memory, µJ",
)
# Columns of the CSV that name a cell; and those that are kept, with what they are called here.
NAMES = ("model", "converter", "timesteps")
FIGURES = {
    "accuracy": "accuracy",
    "ann_accuracy": "ann",
    "num_samples": "samples",
    "spikes_per_neuron": "spikes",
    "synaptic_operations": "operations",
    "ann_macs": "macs",
    "snn_integer_joules": "integers",
    "snn_memory_joules": "memory",
    "twin_bits": "twin_bits",
    "twin_value": "twin_accuracy",
    "twin_integer_joules": "twin_integers",
    "twin_memory_joules": "twin_memory",
}
Rows = Mapping[str, Mapping[str, Any]]


def stored(path: Path = RESULTS) -> dict[str, Any]:
    """Return the cells by their names."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def cells_of(path: Path) -> dict[str, dict[str, Any]]:
    """Return the finished cells of a report's CSV, by model, method and T."""
    found = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["status"] != "ok":
                continue
            figures = {new: float(row[old]) for old, new in FIGURES.items() if row[old]}
            graded = {"graded": row["graded_spikes"] == "true"}
            names = {name: row[name] for name in NAMES[:2]} | {"timesteps": int(row["timesteps"])}
            found[" ".join(row[name] for name in NAMES)] = {**names, **graded, **figures}
    return found


def networks(rows: Rows) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """Yield each network with its cells, by method and T."""
    for model in sorted({row["model"] for row in rows.values()}):
        own = [row for row in rows.values() if row["model"] == model]
        yield model, sorted(own, key=lambda row: (row["converter"], row["timesteps"]))


def cost_rows(cells: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Yield the cells of `HEAD` for one network; accuracies in %, the loss in points."""
    for cell in cells:
        twin = "twin_accuracy" in cell
        yield (
            f"`{cell['converter']}`{'*' * cell['graded']}",
            f"{cell['timesteps']}",
            f"{100 * cell['accuracy']:.2f}",
            f"{100 * (cell['ann'] - cell['accuracy']):.2f}".replace("-", "−"),
            f"{cell['spikes']:.3f}",
            f"{cell['operations'] / cell['macs']:.3f}",
            _micro(cell["integers"]),
            _micro(cell["memory"]),
            f"{cell['twin_bits']:.0f}" if twin else "",
            f"{100 * cell['twin_accuracy']:.2f}" if twin else "",
            _micro(cell["twin_integers"]) if twin else "",
            _micro(cell["twin_memory"]) if twin else "",
        )


def _micro(joules: float) -> str:
    """Return an energy in µJ with three digits."""
    value = 1e6 * joules
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


@click.command()
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(source: Path) -> None:
    """Store the cells of the CSV of a report."""
    found = cells_of(source)
    save_json({**stored(RESULTS), **found}, RESULTS)
    click.echo(f"{RESULTS}: {len(found)} cells")


if __name__ == "__main__":
    main()
