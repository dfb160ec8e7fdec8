"""The shipped files, and what a command line gives."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "benchmarks/models/mnist_cnn.h5"
IMAGES = ROOT / "benchmarks/data/mnist_1000.npz"
CALIBRATION = ROOT / "benchmarks/data/mnist_calibration.npz"


@dataclass(frozen=True)
class Outcome:
    """What a command line gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Return the one object on stdout."""
        value: dict[str, Any] = json.loads(self.out)
        return value

    @property
    def codes(self) -> list[str]:
        """Return the codes of the errors on stderr, in order."""
        return [line[6:11] for line in self.err.splitlines() if line.startswith("error[KG")]

    @property
    def warnings(self) -> list[str]:
        """Return the codes of the warnings on stderr, in order."""
        return [line[8:13] for line in self.err.splitlines() if line.startswith("warning[KG")]
