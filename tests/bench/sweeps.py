"""What the tests of sweeps share: small configurations on the shipped files, and the command that runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "benchmarks/models/mnist_cnn.h5"
IMAGES = ROOT / "benchmarks/data/mnist_1000.npz"
CALIBRATION = ROOT / "benchmarks/data/mnist_calibration.npz"

HEAD = f"""title = "a test"
models = "{MODEL}"
data = "{IMAGES}"
scale = "1/255"
limit = 20
layer-samples = 4
calibration = {{ data = "{CALIBRATION}", samples = 64 }}
"""
# Cells that share one compiled program: T and the seed are not in its sources.
SMALL = (
    HEAD
    + """
[[sweep]]
converter = "data-norm"
encoder = "poisson"
timesteps = [2, 4, 6, 8]
seed = [0, 1, 2]
"""
)
# Such cells on the reference, which needs no compiler.
TINY = (
    HEAD
    + """
target = "reference"
[[sweep]]
converter = "data-norm"
timesteps = [1, 2]
"""
)


def written(directory: Path, text: str, name: str = "small.toml") -> Path:
    """Return a configuration after writing it."""
    path = directory / name
    path.write_text(text)
    return path


def command(*arguments: object) -> list[str]:
    """Return the command line of a process of its own."""
    return [sys.executable, "-m", "kgenn", "bench", *map(str, arguments)]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a sweep in a process of its own."""
    return subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True, check=False)


def cells(results: Path) -> list[dict[str, Any]]:
    """Return the lines of the finished cells."""
    return [json.loads(line) for line in (results / "cells.jsonl").read_text().splitlines()]
