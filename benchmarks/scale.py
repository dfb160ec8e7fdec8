"""Measure large networks: how long they take to convert, to build and to run, and how much memory.

    python -m benchmarks.scale VGG16 ResNet50 MobileNet DenseNet121 --side 224

Each network is one of keras.applications with random weights, settled on drawn images as `benchmarks.families`
does. Each method is measured in a process of its own.
"""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

P = ParamSpec("P")
T = TypeVar("T")

HEAD = ("network", "method", "neurons", "convert, CPU s", "g++, CPU s", "CPU s an image", "images a second", "GB")


def made(name: str, side: int, folder: Path) -> Path:
    """Write a network of keras.applications for images of a side, and return its file."""
    import keras

    from benchmarks.families.architectures import CLASSES, settled_file

    keras.utils.set_random_seed(1)
    model = getattr(keras.applications, name)(weights=None, input_shape=(side, side, 3), classes=CLASSES)
    path = folder / f"{name}.keras"
    model.save(path)
    settled, _ = settled_file(str(path), folder)
    return settled


def measured(path: Path, method: str, timesteps: int, calibration: int, images: int, batch_size: int) -> list[str]:
    """Return the cells of `HEAD` behind the network's name."""
    import numpy as np

    import kgenn
    from benchmarks.families.measure import cpu_seconds

    graph = kgenn.load(path)
    rng = np.random.default_rng(5)
    x = rng.random((calibration + images, *graph.input_shape)).astype(np.float32)
    started = cpu_seconds()
    network = kgenn.convert(
        graph, converter=method, calibration=x[:calibration], timesteps=timesteps, allow="all", check=False
    )
    converted = cpu_seconds()
    snn = kgenn.compile(network)
    built, wall = cpu_seconds(), time.perf_counter()
    snn.evaluate(x[calibration:], batch_size=batch_size)
    wall, ran = time.perf_counter() - wall, cpu_seconds()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    return [
        f"`{method}` {timesteps}",
        f"{sum(p.size for p in network.populations):,}",
        *(f"{seconds:.3g}" for seconds in (converted - started, built - converted, (ran - built) / images)),
        f"{images / wall:.2g}",
        f"{peak:.1f}",
    ]


@click.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--side", default=224, show_default=True, help="Of the images, in pixels.")
@click.option("--method", "methods", multiple=True, default=("few-spike:8", "data-norm:32"), show_default=True)
@click.option("--calibration", default=16, show_default=True, help="Images that calibrate.")
@click.option("--images", default=8, show_default=True, help="Images that run.")
@click.option("--batch-size", default=2, show_default=True)
def main(
    names: tuple[str, ...], side: int, methods: tuple[str, ...], calibration: int, images: int, batch_size: int
) -> None:
    """Print a table of networks and methods."""
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            path = _apart(made, name, side, Path(folder))
            for method, timesteps in (text.split(":") for text in methods):
                cells = _apart(measured, path, method, int(timesteps), calibration, images, batch_size)
                print(f"| {' | '.join([name, *cells])} |", flush=True)


def _apart(function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """Call a function in a process of its own, whose peak of memory is the function's."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments, **options).result()


if __name__ == "__main__":
    main()
