"""Measure families of keras.applications, or model files, and keep what came out.

    python -m benchmarks.families                     # every family that is not in the results
    python -m benchmarks.families VGG16 some_model.h5 --method few-spike:8

Each model is made, settled and measured in a process of its own. The rows are stored in results.json
after each model; a model that has a row already is skipped, unless named. `python -m benchmarks.tables` writes the
tables of `docs/measured/networks.md` from these rows. Keras is needed.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import click

from benchmarks.families.architectures import FAMILIES
from benchmarks.families.table import RESULTS, stored
from kgenn.files.durable import replace as put_in_place

METHODS = ("few-spike:8", "few-spike:10", "data-norm:128")


def keep(path: Path, name: str, row: Mapping[str, Any]) -> None:
    """Add a row to those of a file, or to the methods of the same row."""
    rows = stored(path)
    methods = {**rows.get(name, {}).get("methods", {}), **row.get("methods", {})}
    rows[name] = {**row, **({"methods": methods} if methods else {})}
    scratch = path.with_suffix(".new")
    scratch.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    put_in_place(scratch, path)


@click.command()
@click.argument("names", nargs=-1)
@click.option("--method", "methods", multiple=True, default=METHODS, help="A converter and its timesteps.")
@click.option("--calibration", default=64, show_default=True, help="Images that calibrate.")
@click.option("--images", default=64, show_default=True, help="Other images, which are scored.")
@click.option("--results", type=click.Path(path_type=Path), default=RESULTS, help="Where rows are kept.")
def main(names: tuple[str, ...], methods: tuple[str, ...], calibration: int, images: int, results: Path) -> None:
    """Measure models."""
    from benchmarks.families.measure import measured

    wanted = [(method, int(steps)) for method, steps in (text.split(":") for text in methods)]
    done = stored(results)
    for name in names or [n for n in FAMILIES if n not in done]:
        # a process for each: the peak of its memory is the model's
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            row = pool.submit(measured, name, wanted, calibration, images).result()
        keep(results, Path(name).stem, row)
        click.echo(f"{Path(name).stem} {json.dumps(row)}")


if __name__ == "__main__":
    main()
