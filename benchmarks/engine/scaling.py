"""Time the generated C++ over timesteps, batch, threads, firing rate and width, and draw it.

    python -m benchmarks.engine.scaling engine.h5 engine.npz -o scaling

CPU seconds of simulation for an image, the least of some repetitions. The brightness of the images changes the
firing rate; for each, every way of computing synapses is timed, which tells where one overtakes the other.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

import kgenn
from benchmarks.engine.network import network as untrained
from kgenn.backends.base import RunOptions
from kgenn.backends.cpp import Cpp
from kgenn.ir.network import Network

Array = NDArray[Any]
REPETITIONS = 3
# one scale for each layer, as the published figures have it
DATA_NORM = kgenn.DataNorm(channelwise=False)
TIMESTEPS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
BATCHES = (1, 2, 4, 8, 16, 32, 64)
WIDTHS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
BRIGHTNESS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
AT = 32  # timesteps, and images, where they do not vary


@dataclass(frozen=True)
class Point:
    """One measurement: `milliseconds` of CPU time for an image at `x`, drawn as part of `line` in `plot`."""

    plot: str
    line: str
    x: float
    milliseconds: float


def converted(model: Any, images: Array, timesteps: int = AT) -> Network:
    """Return the network that speed is measured on, converted by data-norm with one scale for each layer."""
    return kgenn.convert(model, calibration=images, timesteps=timesteps, converter=DATA_NORM)


def measure(network: Network, images: Array, options: RunOptions, wall: bool = False) -> tuple[float, float]:
    """Return milliseconds for an image, of CPU time or of wall time, and spikes per neuron and step."""
    simulator = Cpp().load(network, None, options)
    drive = network.drive(images)
    clock = time.perf_counter if wall else time.process_time
    best = np.inf
    for _ in range(REPETITIONS):
        start = clock()
        recording = simulator.run(drive, 0)
        best = min(best, clock() - start)
    spikes = sum(int(counts.sum()) for counts in recording.spike_counts.values())
    neurons = sum(p.size for p in network.spiking)
    return 1000 * best / len(images), spikes / (neurons * len(images) * network.num_timesteps)


def points(model: Path, images: Array) -> Iterator[Point]:
    """Yield every measurement."""
    one = RunOptions(threads=1)
    network = converted(model, images[:256])
    for method, converter in {"data-norm": DATA_NORM, "few-spike": kgenn.FewSpike()}.items():
        for steps in TIMESTEPS:
            if method == "few-spike" and steps > 12:
                continue
            made = kgenn.convert(model, calibration=images[:256], timesteps=steps, converter=converter)
            yield Point("timesteps", method, steps, measure(made, images[:AT], one)[0])
    for batch in BATCHES:
        yield Point("batch", "data-norm", batch, measure(network, images[:batch], one)[0])
    for threads in (1, 2, 4, 8, 16):
        milliseconds, _ = measure(network, images[:64], RunOptions(threads=threads), wall=True)
        yield Point("threads", "data-norm, wall time", threads, milliseconds)
    for width in WIDTHS:
        made = converted(untrained(width), images[:256])
        yield Point("width", "data-norm", width, measure(made, images[:AT], one)[0])
    for brightness in BRIGHTNESS:
        for way in ("auto", "events", "dense"):
            options = RunOptions(threads=1, synapses=way)
            milliseconds, rate = measure(network, images[:AT] * np.float32(brightness), options)
            yield Point("spikes per neuron and step", way, rate, milliseconds)


def draw(measured: list[Point], directory: Path) -> None:
    """Write a PNG for each plot."""
    from matplotlib.figure import Figure

    for plot in dict.fromkeys(p.plot for p in measured):
        figure = Figure(figsize=(5, 3.5), layout="constrained")
        axes = figure.subplots()
        own = [p for p in measured if p.plot == plot]
        for line in dict.fromkeys(p.line for p in own):
            values = [(p.x, p.milliseconds) for p in own if p.line == line]
            axes.loglog(*zip(*values, strict=True), marker="o", label=line)
        axes.set(xlabel=plot, ylabel="milliseconds an image")
        axes.legend()
        figure.savefig(directory / f"{plot.split()[0]}.png", dpi=150)


@click.command()
@click.argument("model", type=click.Path(exists=True, path_type=Path))
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="DIR")
def main(model: Path, data: Path, output: Path) -> None:
    """Write scaling.csv and a plot for each of its parts."""
    with np.load(data) as file:
        images = file["x"].astype(np.float32) / np.float32(255)
    output.mkdir(parents=True, exist_ok=True)
    measured = []
    with (output / "scaling.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("plot", "line", "x", "milliseconds"))
        for point in points(model, images):
            measured.append(point)
            writer.writerow((point.plot, point.line, f"{point.x:.5g}", f"{point.milliseconds:.4g}"))
            file.flush()
            print(f"{point.plot:28} {point.line:22} {point.x:10.4g} {point.milliseconds:9.3f} ms")
    draw(measured, output)


if __name__ == "__main__":
    main()
