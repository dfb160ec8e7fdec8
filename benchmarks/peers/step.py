"""Compare the time of a timestep at batch 1: the generated C++ of kgenn, SpikingJelly and Sinabs, in one run.

    python -m benchmarks.peers.step MODEL.h5 DATA.npz --calibration CALIBRATION.npz

One thread each, in turns; the figure is the median over all timesteps of all images. Every timestep of a sample
has the same image, as the peers' conversions present it.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np

import kgenn
from benchmarks.peers import portable
from benchmarks.peers.__main__ import ROOT, THREADS, data_of
from benchmarks.peers.environment import python_of
from kgenn.backends.base import RunOptions
from kgenn.backends.cpp import Cpp
from kgenn.backends.cpp_library import CppSimulator
from kgenn.conversion.constraints import FEATURES
from kgenn.ir.graph import Array, Graph
from kgenn.ir.network import Network
from kgenn.ir.scores import heads_of

PEERS = {"spikingjelly": "SpikingJelly ann2snn", "sinabs": "Sinabs from_model"}
PATH = click.Path(exists=True, dir_okay=False, path_type=Path)


def ours(graph: Graph, data: dict[str, Any], timesteps: int, encoder: str) -> dict[str, float]:
    """Return what steps of the generated C++ take."""
    network = kgenn.convert(
        graph, calibration=data["calibration"], timesteps=timesteps, encoder=encoder, allow=tuple(FEATURES)
    )
    simulator = Cpp().load(network, None, RunOptions(threads=1))
    assert isinstance(simulator, CppSimulator)
    return stepped(network, simulator, data["x"], data["y"])


def stepped(network: Network, simulator: CppSimulator, x: Array, y: Array) -> dict[str, float]:
    """Step through samples, with a call of the library for each timestep."""
    library, pointer = simulator.library, ctypes.c_void_p
    library.kgenn_stream_open.restype = pointer
    library.kgenn_stream_open.argtypes = library.kgenn_stream_close.argtypes = [pointer]
    library.kgenn_reset.argtypes = [pointer, ctypes.c_int64]
    library.kgenn_step.argtypes = [pointer, pointer, pointer]
    stream = library.kgenn_stream_open(simulator.handle)
    outputs = np.zeros(sum(head.readout.size for head in heads_of(network)), np.float32)
    times, right = [], 0
    for number, (sample, label) in enumerate(zip(np.ascontiguousarray(x, np.float32), y, strict=True)):
        library.kgenn_reset(stream, number)
        for _ in range(network.num_timesteps):
            before = time.perf_counter()
            status = library.kgenn_step(stream, sample.ctypes.data, outputs.ctypes.data)
            times.append(time.perf_counter() - before)
            assert status == 0, f"status {status}"
        right += int(outputs.argmax() == label)
    library.kgenn_stream_close(stream)
    return {"step_us": 1e6 * float(np.median(times)), "accuracy": right / len(y)}


def peer(name: str, python: Path, folder: Path, timesteps: int) -> dict[str, float]:
    """Return what steps of a peer take."""
    result = folder / f"{name}.json"
    files = [str(folder / "network.npz"), str(folder / "data.npz"), str(result)]
    command = [str(python), "-m", "benchmarks.peers.inside.step", name, *files, "-T", str(timesteps)]
    environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(result.read_text(encoding="utf-8"))
    return found


@click.command()
@click.argument("model", type=PATH)
@click.argument("data", type=PATH)
@click.option("--calibration", type=PATH, help="An .npz of its own.")
@click.option("-T", "--timesteps", default=32, show_default=True)
@click.option("--limit", default=100, show_default=True, help="Images.")
@click.option("--rounds", default=2, show_default=True, help="The fastest round counts.")
@click.option("--python", type=PATH, help="An interpreter that has the peers' packages.")
def main(
    model: Path, data: Path, calibration: Path | None, timesteps: int, limit: int, rounds: int, python: Path | None
) -> None:
    """Measure MODEL on images of DATA."""
    graph = kgenn.load(model)
    found: dict[str, dict[str, float]] = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        arrays = data_of(data, graph.input_shape, "1/255", limit, calibration)
        np.savez(folder / "data.npz", **arrays)
        portable.save(graph, folder / "network.npz")
        for _ in range(rounds):
            rows = {f"kgenn, encoder {e}": ours(graph, arrays, timesteps, e) for e in ("direct", "poisson")}
            rows |= {title: peer(key, python or python_of(key), folder, timesteps) for key, title in PEERS.items()}
            for title, row in rows.items():
                found[title] = min(found.get(title, row), row, key=lambda r: r["step_us"])
    click.echo("| | µs a timestep | accuracy in % |\n|---|---:|---:|")
    for title, row in found.items():
        click.echo(f"| {title} | {row['step_us']:.0f} | {100 * row['accuracy']:.1f} |")


if __name__ == "__main__":
    main()
