"""Measure, in one run, how much faster generated C++ is than the NumPy reference, and how long compiling takes.

    python -m benchmarks.speed OUTPUT_DIRECTORY DATA.npz --scale 1/255 --limit 64

OUTPUT_DIRECTORY comes from `kgenn compile --target cpu`. Both run the same samples on one thread; their spikes
are compared. CPU seconds, since wall time depends on what else the machine does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

from kgenn.api import open_directory
from kgenn.artifact.directory import Artifact
from kgenn.backends import TARGETS, RunOptions
from kgenn.compiled import CompiledNetwork
from kgenn.data.load import load_data, parse_scale, prepare


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--scale", default="1/255", show_default=True)
@click.option("--limit", default=64, show_default=True)
def main(directory: Path, data: Path, scale: str, limit: int) -> None:
    """Print the figures, one a line."""
    compiled = open_directory(directory, RunOptions(threads=1))
    network = compiled.network
    found = load_data(data, "test").limited(limit)
    x = prepare(found.x, network.input_shape, parse_scale(scale), str(data))
    reference = TARGETS.get("reference")().load(network, None, RunOptions(threads=1))
    fast = compiled.evaluate(x, found.y)
    slow = CompiledNetwork(Artifact(network, "reference"), reference).evaluate(x, found.y, batch_size=16)
    assert np.array_equal(fast.scores, slow.scores)
    assert fast.spikes == slow.spikes
    click.echo(f"cpu        {1000 * fast.cpu_seconds / len(x):9.3f} ms CPU a sample")
    click.echo(f"reference  {1000 * slow.cpu_seconds / len(x):9.3f} ms CPU a sample")
    click.echo(f"ratio      {slow.cpu_seconds / fast.cpu_seconds:9.1f}, equal scores and spikes")
    with tempfile.TemporaryDirectory() as cache:
        os.environ["KGENN_CACHE"] = cache
        before = time.perf_counter()
        TARGETS.get("cpu")().load(network, None, RunOptions(threads=1))
        click.echo(f"build      {time.perf_counter() - before:9.2f} s wall, nothing cached")
    command = [
        sys.executable,
        "-c",
        "import time; t = time.perf_counter(); import kgenn; print(time.perf_counter() - t)",
    ]
    took = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    click.echo(f"import     {float(took):9.3f} s wall")


if __name__ == "__main__":
    main()
