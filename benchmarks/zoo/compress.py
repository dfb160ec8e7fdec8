"""Make a trained network small enough for the repository, and measure it again.

    python -m benchmarks.zoo.compress net.h5 --data cifar10.npz -o benchmarks/zoo/networks/net.h5

rounds each weight to `--bits` significant bits, packs the arrays of the .h5 with gzip, and writes the JSON of the
training beside it with the test accuracy of what was written.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import h5py
import keras
import numpy as np

from benchmarks.zoo.data import Array, load
from benchmarks.zoo.files import replacing, save_json
from benchmarks.zoo.training import accuracy

FLOAT32_BITS = 24  # of a significand, the leading one among them


def rounded(values: Array, bits: int) -> Array:
    """Return float32 values rounded to so many significant bits, halves away from zero."""
    dropped = FLOAT32_BITS - bits
    words = np.ascontiguousarray(values, np.float32).view(np.uint32).astype(np.uint64)
    kept = ((words + (1 << dropped >> 1)) >> dropped << dropped).astype(np.uint32)
    return kept.view(np.float32)


def compress(source: Path, output: Path, bits: int) -> None:
    """Copy a .h5 with its float32 arrays rounded, and all its arrays packed."""
    with replacing(output) as temporary, h5py.File(source, "r") as old, h5py.File(temporary, "w") as new:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                made: h5py.Group | h5py.Dataset = new.require_group(name)
            elif item.ndim and item.dtype == np.float32:
                values = rounded(item[()], bits)
                made = new.create_dataset(name, data=values, compression="gzip", compression_opts=9, shuffle=True)
            else:
                made = new.create_dataset(name, data=item[()])
            for key, value in item.attrs.items():
                made.attrs[key] = value

        for key, value in old.attrs.items():
            new.attrs[key] = value
        old.visititems(copy)


@click.command()
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--data", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--bits", type=click.IntRange(2, FLOAT32_BITS - 1), default=8, show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True)
def main(source: Path, data: Path, bits: int, output: Path) -> None:
    """Round and pack the network SOURCE, a .h5 with the JSON of its training beside it."""
    facts = json.loads(source.with_suffix(".json").read_text(encoding="utf-8"))
    compress(source, output, bits)
    found = accuracy(keras.models.load_model(output, compile=False), load(data))
    save_json({**facts, "significant_bits": bits, "test_accuracy": found}, output.with_suffix(".json"))
    click.echo(f"{output}: {found:.2%}, {output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
