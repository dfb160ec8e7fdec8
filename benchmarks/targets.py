"""Run one compiled network on several targets, check that they agree in every spike count, and time them.

    python -m benchmarks.targets OUTPUT_DIRECTORY DATA.npz --scale 1/255 --limit 200 cpu genn-cpu

OUTPUT_DIRECTORY comes from `kgenn compile`; $KGENN_GENN_PYTHON names the interpreter that has pygenn.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from kgenn.api import open_directory
from kgenn.backends import RunOptions
from kgenn.data.load import load_data, parse_scale, prepare


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("targets", nargs=-1, required=True)
@click.option("--scale", default="1/255", show_default=True)
@click.option("--limit", default=200, show_default=True)
@click.option("--threads", default=1, show_default=True)
def main(directory: Path, data: Path, targets: tuple[str, ...], scale: str, limit: int, threads: int) -> None:
    """Print a line for each target."""
    found = load_data(data, "test").limited(limit)
    first = None
    for target in targets:
        compiled = open_directory(directory, RunOptions(threads=threads), target)
        x = prepare(found.x, compiled.network.input_shape, parse_scale(scale), str(data))
        result = compiled.evaluate(x, found.y)
        first = first or result
        same = np.array_equal(result.scores, first.scores) and result.spikes == first.spikes
        accuracy = float("nan") if result.accuracy is None else 100 * result.accuracy
        milliseconds = 1000 * result.cpu_seconds / len(x)
        agreement = "same scores and spike counts" if same else "DIFFERENT"
        click.echo(f"{target:10} {accuracy:6.2f} %  {milliseconds:9.2f} ms CPU a sample  {agreement}")


if __name__ == "__main__":
    main()
