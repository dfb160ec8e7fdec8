"""Run one trained network in kgenn and in its peers, and print a table.

    python -m benchmarks.peers MODEL.h5 DATA.npz -T 32 --limit 500

All get the same calibration images, test images and batches, and one thread; they run one after the other, each in
a process of its own. A peer's environment is made at its first run, unless `--python` names an interpreter that
has their packages. A peer that does not install or run has a row that says why.

With `--device cuda` all run on a GPU, and rates are of the wall clock, with the images' way to the device in it:

    python -m benchmarks.peers MODEL.h5 DATA.npz -T 32 --limit 10000 --batch 4096 --device cuda

With `--rounds` all run so many times in turns, and each row tells of its fastest: on a machine that others use
too, rates of different moments cannot be compared.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np

import kgenn
from benchmarks.peers import portable
from benchmarks.peers.environment import EnvironmentFailure, python_of
from kgenn.data.load import load_data, parse_scale, prepare

ROOT = Path(__file__).parents[2]
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
NUM_CALIBRATION = 512
# of each device: kgenn's targets, the second for GeNN, and the rate that a table tells
DEVICES = {"cpu": (("cpu",), "images_per_cpu_second"), "cuda": (("cuda", "genn-cuda"), "images_per_second")}


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        name: what `--only` names.
        title: what the table says.
        converter: kgenn's, or None for a peer.
        timesteps: where they are not the T that was asked for.
        genn: GeNN runs what kgenn emits, in a process whose CPU time is not measured: on a GPU alone.
    """

    name: str
    title: str
    converter: str | None = None
    timesteps: int | None = None
    genn: bool = False


ROWS = (
    Row("data-norm", "kgenn data-norm", "data-norm"),
    Row("few-spike", "kgenn few-spike", "few-spike", 8),
    Row("ttfs", "kgenn ttfs", "ttfs"),
    Row("burst", "kgenn burst", "burst"),
    Row("genn", "kgenn data-norm, run by GeNN", "data-norm", genn=True),
    Row("ann", "PyTorch, the ANN itself", timesteps=1),
    Row("spikingjelly", "SpikingJelly ann2snn"),
    Row("sinabs", "Sinabs from_model"),
    Row("braincog", "BrainCog Convertor"),
)


@dataclass(frozen=True)
class Task:
    """What every row runs: the model for kgenn, the same network for the peers, and the images."""

    model: Path
    network: Path
    data: Path
    timesteps: int
    batch: int
    device: str = "cpu"
    python: Path | None = None

    @property
    def rate(self) -> str:
        """Return which rate the table tells."""
        return DEVICES[self.device][1]

    def run(self, row: Row, folder: Path) -> dict[str, Any]:
        """Return what a row measured, or {"failure": why it did not}."""
        result = folder / f"{row.name}.json"
        size = ["-T", str(row.timesteps or self.timesteps), "--batch", str(self.batch)]
        if row.converter:
            command = [sys.executable, "-m", "benchmarks.peers.ours", row.converter, str(self.model)]
            size += ["--target", DEVICES[self.device][0][row.genn]]
        else:
            try:
                python = self.python or python_of(row.name)
            except EnvironmentFailure as failure:
                return {"failure": str(failure)}
            if not self.network.exists():
                return {"failure": "the network has a layer that was not carried over"}
            command = [str(python), "-m", "benchmarks.peers.inside", row.name, str(self.network)]
            size += ["--device", self.device]
        environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
        done = subprocess.run(
            [*command, str(self.data), str(result), *size],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            said = [line for line in done.stderr.strip().splitlines() if not line.lstrip().startswith("help:")]
            lines = said or [f"ended with {done.returncode}"]
            return {"failure": lines[-1]}
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return found


def columns(task: Task, row: Row, found: dict[str, Any]) -> str:
    """Return a row of the Markdown table."""
    steps = str(row.timesteps or task.timesteps)
    if "failure" in found:
        return f"| {row.title} | {steps} | {found['failure'].replace('|', '/')} | | | |"
    cells = (f"{100 * found['accuracy']:.2f}", f"{found[task.rate]:.1f}",
             f"{found['wall_seconds']:.1f}", f"{found['peak_mb']:.0f}")  # fmt: skip
    return f"| {row.title} | {steps} | {' | '.join(cells)} |"


def data_of(
    path: Path, shape: tuple[int, ...], scale: str, limit: int, calibration: Path | None
) -> dict[str, Any]:
    """Return calibration images, test images and labels, as the network takes them."""
    found = load_data(path, "test").limited(limit)
    assert found.y is not None, f"{path} has no labels"
    few = load_data(calibration or path, "train").limited(NUM_CALIBRATION)
    factor = parse_scale(scale)
    return {
        "calibration": prepare(few.x, shape, factor, str(calibration or path)),
        "x": prepare(found.x, shape, factor, str(path)),
        "y": found.y.ravel(),
    }


def run_all(task: Task, only: tuple[str, ...], folder: Path, rounds: int) -> Iterator[tuple[Row, dict[str, Any]]]:
    """Yield each row and what it measured in its fastest round, or why it did not run."""
    best: dict[str, dict[str, Any]] = {}
    for number in range(1, rounds + 1):
        for row in ROWS:
            if (only and row.name not in only) or (row.genn and task.device == "cpu"):
                continue
            best[row.name] = fastest(best.get(row.name), partial(task.run, row, folder), task.rate)
            if number == rounds:
                yield row, best[row.name]


def fastest(before: dict[str, Any] | None, run: Callable[[], dict[str, Any]], rate: str) -> dict[str, Any]:
    """Run once more and return the figures of the faster run; a failure is not repeated."""
    if before is not None and "failure" in before:
        return before
    now = run()
    if before is None or "failure" in now:
        return now
    return max(before, now, key=lambda found: float(found[rate]))


@click.command()
@click.argument("model", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("data", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-T", "--timesteps", default=32, show_default=True)
@click.option("--limit", default=500, show_default=True, help="Only the first test images.")
@click.option("--batch", default=32, show_default=True)
@click.option("--scale", default="1/255", show_default=True)
@click.option(
    "--calibration", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="An .npz of its own."
)
@click.option("--only", multiple=True, type=click.Choice([row.name for row in ROWS]), help="Repeat for several.")
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Run all so many times in turns; tell the fastest.",
)
@click.option("--device", type=click.Choice(list(DEVICES)), default="cpu", show_default=True)
@click.option(
    "--python",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An interpreter that has the peers' packages, in place of environments of their own.",
)
@click.option("--json", "as_json", type=click.Path(path_type=Path), help="Write the figures as JSON too.")
def main(
    model: Path,
    data: Path,
    timesteps: int,
    limit: int,
    batch: int,
    scale: str,
    calibration: Path | None,
    only: tuple[str, ...],
    rounds: int,
    device: str,
    python: Path | None,
    as_json: Path | None,
) -> None:
    """Compare kgenn with its peers on MODEL and the test images of DATA, whose training images calibrate."""
    if device == "cpu" and "genn" in only:
        raise click.UsageError("GeNN's row is measured on a GPU: --device cuda")
    graph = kgenn.load(model)
    all_found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        task = Task(
            model.resolve(),
            folder / "network.npz",
            folder / "data.npz",
            timesteps,
            batch,
            device,
            python and python.absolute(),
        )
        np.savez(task.data, **data_of(data, graph.input_shape, scale, limit, calibration))
        try:
            portable.save(graph, task.network)
        except portable.NotPortable as error:
            click.echo(f"the peers cannot have {model.name}: {error}", err=True)
        rate = task.rate.replace("_", " ").replace("cpu", "CPU")
        click.echo(f"| | T | accuracy, % | {rate} | wall, s | peak memory, MB |\n|---|---|---|---|---|---|")
        for row, found in run_all(task, only, folder, rounds):
            all_found[row.name] = found
            click.echo(columns(task, row, found))
    if as_json:
        as_json.write_text(json.dumps(all_found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
