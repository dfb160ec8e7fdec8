"""Compare kgenn's NumPy forward pass with Keras' predictions on a whole test set.

    python -m benchmarks.forward MODEL.h5 DATA.npz --scale 1/255

Needs Keras; prints how many predictions are equal and the largest difference of the outputs.
"""

from __future__ import annotations

from pathlib import Path

import click
import keras
import numpy as np

import kgenn
from kgenn.data.load import load_data, parse_scale, prepare


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--scale", default="1/255", show_default=True)
@click.option("--limit", type=int, help="only the first samples")
def main(model: Path, data: Path, scale: str, limit: int | None) -> None:
    """Print the comparison in a line."""
    graph = kgenn.load(model)
    found = load_data(data, "test").limited(limit)
    x = prepare(found.x, graph.input_shape, parse_scale(scale), str(data))
    ours = graph.predict(x)
    theirs = keras.models.load_model(model, compile=False).predict(x, batch_size=128, verbose=0)
    assert isinstance(ours, np.ndarray)
    equal = int((ours.argmax(axis=1) == theirs.argmax(axis=1)).sum())
    largest = np.abs(ours - theirs).max()
    line = f"{model.name}: {equal} of {len(x)} predictions equal, largest difference {largest:.1e}"
    if found.y is not None:
        line += f", accuracy {100 * (ours.argmax(axis=1) == found.y).mean():.2f} %"
    click.echo(line)


if __name__ == "__main__":
    main()
