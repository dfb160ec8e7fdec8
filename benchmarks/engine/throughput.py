"""Measure images per second by the wall clock, for batches of any size; compare results with another target's.

    python -m benchmarks.engine.throughput OUTPUT_DIRECTORY DATA.npz --target cuda --against cpu

OUTPUT_DIRECTORY comes from `kgenn compile`; the target compared with runs the first images alone. Rates are of the
simulation: without the encoding of the images, which the host does, and after a first run of each size.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click
import numpy as np

from kgenn.api import open_directory
from kgenn.backends import RunOptions
from kgenn.backends.base import SynapseAlgorithm
from kgenn.data.load import load_data, parse_scale, prepare


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--target", default="cuda", show_default=True)
@click.option("--against", default="cpu", show_default=True, help="The target whose results must be the same.")
@click.option("--batch", "batches", type=int, multiple=True, default=(1, 32, 256, 4096), show_default=True)
@click.option("--synapses", type=click.Choice(get_args(SynapseAlgorithm)), default="auto", show_default=True)
@click.option("--repetitions", default=3, show_default=True)
@click.option("--compared", default=32, show_default=True, help="Images that both targets run.")
@click.option("--scale", default="1/255", show_default=True)
def main(
    directory: Path,
    data: Path,
    target: str,
    against: str,
    batches: tuple[int, ...],
    synapses: SynapseAlgorithm,
    repetitions: int,
    compared: int,
    scale: str,
) -> None:
    """Print a line for each batch size, and whether the targets agree."""
    network = open_directory(directory, RunOptions(synapses=synapses), target)
    images = prepare(load_data(data, "test").x, network.network.input_shape, parse_scale(scale), str(data))
    for batch in batches:
        x = np.resize(images, (batch, *images.shape[1:]))
        network.evaluate(x, batch_size=batch)
        seconds = min(network.evaluate(x, batch_size=batch).wall_seconds for _ in range(repetitions))
        microseconds = 1e6 * seconds / batch
        click.echo(f"{target} batch {batch:6}  {batch / seconds:10.1f} images/s  {microseconds:10.1f} us an image")
    for work in network.work:
        ways = ", ".join(f"{way} {share:.0%}" for way, share in work.algorithms.items())
        click.echo(f"  {work.source} to {work.target}: {ways}; {work.density:.1%} of the values are not zero")
    both = [network, open_directory(directory, None, against)]
    one, two = (n.evaluate(images[:compared], batch_size=compared) for n in both)
    same = np.array_equal(one.scores, two.scores) and one.spikes == two.spikes
    click.echo(
        f"{target} and {against}, {compared} images: {'same scores and spike counts' if same else 'DIFFERENT'}"
    )


if __name__ == "__main__":
    main()
