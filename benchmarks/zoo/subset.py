"""Cut the images that the repository carries: python -m benchmarks.zoo.subset mnist.npz -o benchmarks/data."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from benchmarks.zoo.data import Array, load
from benchmarks.zoo.files import replacing

NUM_TEST = 1000  # images: enough to tell accuracies one point apart
NUM_CALIBRATION = 512  # images: enough for the 99.9th percentile of every layer's activations


def save(path: Path, images: Array, labels: Array) -> None:
    """Write `x` and `y`, uint8; the same arrays give the same bytes."""
    with replacing(path) as temporary:
        np.savez_compressed(temporary, x=images.astype(np.uint8), y=labels.astype(np.uint8))


@click.command()
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), default=Path("benchmarks/data"))
def main(source: Path, output: Path) -> None:
    """Write the first test and the first training images of SOURCE, a .npz in the layout of keras.datasets."""
    data = load(source)
    name = source.stem
    save(output / f"{name}_{NUM_TEST}.npz", data.x_test[:NUM_TEST], data.y_test[:NUM_TEST])
    save(output / f"{name}_calibration.npz", data.x_train[:NUM_CALIBRATION], data.y_train[:NUM_CALIBRATION])


if __name__ == "__main__":
    main()
