"""Compare generated C++ with what the processor could do at most, and draw the roofline.

    python -m benchmarks.engine.roofline engine.h5 engine.npz -o roofline

One core. The peaks are measured by peaks.cpp beside this file: multiply-accumulates of 16-bit integers in vectors,
of bytes in the matrix unit, 16-bit weights added in rows, bytes read from memory. A network needs at least: each
product of its synapses in each timestep, or in each stage, and where it goes from spike to spike those of spikes
alone; a product of 16-bit weights and values of one byte is two products of bytes, and one of values of two bytes
four. It reads at least each weight once for 32 lanes, and writes and reads each value once.
"""

from __future__ import annotations

import csv
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

import kgenn
from kgenn.backends.base import RunOptions
from kgenn.backends.cpp import Cpp, added_flags, toolchain
from kgenn.backends.cpp_layout import Layout
from kgenn.backends.cpp_program import emit_cpp
from kgenn.ir.network import Connection, Network

Array = NDArray[Any]
LANES = 32
REPETITIONS = 5
METHODS = {
    "data-norm, T = 32": (kgenn.DataNorm(channelwise=False), 32),
    "burst, T = 32": (kgenn.Burst(channelwise=False), 32),
    "few-spike, K = 8": (kgenn.FewSpike(), 8),
    "ttfs, t_max = 32": (kgenn.TimeToFirstSpike(), 32),
}


@dataclass(frozen=True)
class Point:
    """A network beside the roofline; rates are for one core.

    Attributes:
        operations: multiply-accumulates or additions of integers for an image, as the algorithms need them.
        bytes: moved for an image at least.
        compute_ms, memory_ms, measured_ms: for an image: at the peak of products, at that of memory, and found.
    """

    name: str
    operations: float
    bytes: float
    compute_ms: float
    memory_ms: float
    measured_ms: float

    @property
    def share(self) -> float:
        """Return the bound as a share of the time that was measured."""
        return max(self.compute_ms, self.memory_ms) / self.measured_ms


def peaks(network: Network) -> dict[str, float]:
    """Compile and run peaks.cpp with the headers of a program."""
    compiler = toolchain().compiler()
    with tempfile.TemporaryDirectory() as scratch:
        for name, content in emit_cpp(network).files.items():
            (Path(scratch) / name).write_bytes(content)
        program, source = Path(scratch) / "peaks", Path(__file__).with_name("peaks.cpp")
        flags = ["-std=c++17", "-O3", "-march=native", *added_flags(), f"-I{scratch}"]
        subprocess.run([*compiler.command, *flags, "-o", str(program), str(source)], check=True)
        lines = subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
    return {name: float(rate) for name, rate in (line.split() for line in lines)}


def point(name: str, network: Network, images: Array, rates: Mapping[str, float]) -> Point:
    """Measure a network, and work out its bounds from how its connections were computed."""
    simulator, drive = Cpp().load(network, None, RunOptions(threads=1)), network.drive(images)
    best = np.inf
    for _ in range(REPETITIONS):
        start = time.process_time()
        simulator.run(drive, 0)
        best = min(best, time.process_time() - start)
    runs = 1 if network.code.staged else network.num_timesteps
    layout, spiking = Layout(network), [c for c in network.connections if not network.is_analog(c)]
    operations = seconds = moved = 0.0
    for c, work in zip(spiking, simulator.work, strict=True):
        products, width = runs * float(c.connectivity.fan_out().sum()), value_bytes(layout, c)
        tiles, events = work.algorithms.get("tiles", 0.0), work.algorithms.get("events", 0.0)
        added, multiplied = products * work.density * events, products * (1 - tiles - events)
        in_tiles = products * 2 * width * tiles
        operations += added + multiplied + in_tiles
        seconds += added / rates["rows"] + multiplied / rates["vector"]
        seconds += in_tiles / rates["matrix"] if in_tiles else 0.0
        moved += 2.0 * c.connectivity.weights.size * runs / LANES + 2.0 * width * runs * c.connectivity.num_sources
    memory = moved / rates["memory"]
    return Point(name, operations, moved, 1e3 * seconds, 1e3 * memory, 1e3 * best / len(images))


def value_bytes(layout: Layout, connection: Connection) -> int:
    """Return the bytes of a value that a connection reads."""
    stages = layout.stages[connection]
    image = stages[-1].image if stages else layout.images[connection.source]
    return {"int8_t": 1, "int16_t": 2, "int32_t": 4}[image.type]


def draw(points: Sequence[Point], rates: Mapping[str, float], path: Path) -> None:
    """Draw operations per second over operations per byte, under the peaks."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    intensity = np.logspace(0, 5, 100)
    for name in ("matrix", "vector", "rows"):
        if rates[name]:
            axes.loglog(
                intensity, np.minimum(rates[name], rates["memory"] * intensity) / 1e9, label=f"{name} peak"
            )
    for p in points:
        axes.loglog(p.operations / p.bytes, p.operations / p.measured_ms / 1e6, "o", label=p.name)
    axes.set(xlabel="multiply-accumulates a byte from memory", ylabel="10⁹ multiply-accumulates a second")
    axes.legend()
    figure.savefig(path, dpi=150)


@click.command()
@click.argument("model", type=click.Path(exists=True, path_type=Path))
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="DIR")
@click.option("--limit", default=128, show_default=True, help="images")
def main(model: Path, data: Path, output: Path, limit: int) -> None:
    """Write roofline.csv and roofline.png, and print the table."""
    with np.load(data) as file:
        images = file["x"][:limit].astype(np.float32) / np.float32(255)
    networks = {
        name: kgenn.convert(model, calibration=images, timesteps=timesteps, converter=converter)
        for name, (converter, timesteps) in METHODS.items()
    }
    rates = peaks(next(iter(networks.values())))
    for name, rate in rates.items():
        print(f"{name:8} {rate / 1e9:10.1f} · 10⁹ {'bytes' if name in ('cache', 'memory') else 'MACs'} a second")
    points = [point(name, network, images, rates) for name, network in networks.items()]
    output.mkdir(parents=True, exist_ok=True)
    with (output / "roofline.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("network", "macs", "bytes", "compute_ms", "memory_ms", "measured_ms", "share"))
        for p in points:
            figures = (p.operations, p.bytes, p.compute_ms, p.memory_ms, p.measured_ms, p.share)
            writer.writerow((p.name, *(f"{f:.4g}" for f in figures)))
            needs = f"{p.operations / 1e9:7.2f} G MACs {p.bytes / 1e6:8.2f} MB"
            bounds = f"compute {p.compute_ms:6.2f} ms   memory {p.memory_ms:6.2f} ms"
            print(f"{p.name:20} {needs}   {bounds}   measured {p.measured_ms:6.2f} ms   {100 * p.share:4.0f} %")
    draw(points, rates, output / "roofline.png")


if __name__ == "__main__":
    main()
