"""Compare who reads NIR: do the frameworks fire the spikes of the network that a file holds?

    python -m benchmarks.nir_readers --python PYTHON

converts the shipped network for integrate-and-fire neurons that start at 0, once with a reset by subtraction and
once with a reset to zero, writes both as NIR, and runs each reader that PYTHON has installed: `pip install
torch==2.13.0`, then sinabs, snntorch, norse, spikingjelly, rockpool, nir and nirtorch with `--no-deps`. A row says
whether a reader takes the file, how many currents of the readout are those of kgenn, and the accuracy.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np

import kgenn
from kgenn.export import EXPORTERS
from kgenn.files.output import write_file
from kgenn.ir.network import Network
from kgenn.ir.recording import RecordingOptions

ROOT = Path(__file__).parents[1]
READER = Path(__file__).parent / "peers" / "read_nir.py"
READERS = ("sinabs", "sinabs_adjusted", "norse", "snntorch", "spikingjelly", "rockpool")
RESETS = ("subtract", "zero")


def network_of(reset: str, steps: int) -> Network:
    """Return the shipped network with neurons that start at 0."""
    with np.load(ROOT / "benchmarks/data/mnist_calibration.npz") as data:
        images = data["x"][..., None] / np.float32(255)
    converter = kgenn.DataNorm(reset=reset, initial_potential=0.0)
    model = ROOT / "benchmarks/models/mnist_cnn.h5"
    return kgenn.convert(model, converter=converter, calibration=images, timesteps=steps, readout="current")


def expected(network: Network, place: Path, limit: int) -> None:
    """Write what a reader gets, and the current of the readout at each step, in its unit: (N, T, classes)."""
    with np.load(ROOT / "benchmarks/data/mnist_1000.npz") as data:
        x, y = data["x"][:limit, ..., None] / np.float32(255), data["y"][:limit]
    snn = kgenn.compile(network)
    sums: list[Any] = []
    snn.evaluate(
        x, y, observe=lambda start, drive, recording: sums.append(recording.scores), record=RecordingOptions()
    )
    scores = np.concatenate(sums) / network.populations[-1].unit
    currents = np.diff(scores, axis=1, prepend=0)
    (only,) = network.inputs
    # what the file's graph starts with: values behind the encoder, on its grid, channels first
    frames = np.moveaxis(network.drive(x).reshape(len(x), *only.shape) / only.coding.levels, -1, 1)
    np.savez(place, x=frames.astype(np.float32), currents=currents, y=y)


@click.command()
@click.option("--python", required=True, help="The interpreter that has the readers.")
@click.option("--limit", type=int, default=100, show_default=True, help="Images.")
@click.option("--timesteps", type=int, default=32, show_default=True)
@click.option("--only", multiple=True, type=click.Choice(READERS), help="Of these readers.")
def main(python: str, limit: int, timesteps: int, only: tuple[str, ...]) -> None:
    """Print a table of the readers."""
    print("| reader | reset | outcome | equal currents | first step that differs | accuracy |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for reset in RESETS:
            network = network_of(reset, timesteps)
            graph, data = Path(scratch) / f"{reset}.nir", Path(scratch) / f"{reset}.npz"
            write_file(graph, EXPORTERS.get("nir")().emit(network, "g").files["g"])
            expected(network, data, limit)
            for reader in only or READERS:
                print(_row(reader, reset, _run(python, reader, graph, data)), flush=True)


def _run(python: str, reader: str, graph: Path, data: Path) -> dict[str, Any]:
    command = [python, "-W", "ignore", str(READER), reader, str(graph), str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"outcome": (done.stderr.strip().splitlines() or ["ended"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _row(reader: str, reset: str, found: dict[str, Any]) -> str:
    if "equal" not in found:
        return f"| {reader} | {reset} | {found['outcome']} | | | |"
    first = "none" if found["first"] is None else found["first"]
    figures = f"{100 * found['equal']:.2f} % | {first} | {100 * found['accuracy']:.1f} %"
    return f"| {reader} {found['version']} | {reset} | reads | {figures} |"


if __name__ == "__main__":
    main()
