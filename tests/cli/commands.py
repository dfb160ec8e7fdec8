"""What the tests of the command line share: the shipped files, and what a command line gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from outcome import CALIBRATION, IMAGES, MODEL, ROOT, Outcome

__all__ = ["CALIBRATION", "IMAGES", "MODEL", "ROOT", "Kgenn", "Outcome", "compile_arguments"]

Kgenn = Callable[..., Outcome]


def compile_arguments(output: Path, *extra: object) -> tuple[object, ...]:
    """Return the arguments that compile the shipped model for a few steps with little calibration data.

    Unless `--check` is among those that are added, the network is not compared with its model.
    """
    data = ("--calibration", CALIBRATION, "--scale", "1/255", "--calibration-samples", 64)
    return ("compile", MODEL, *data, "--timesteps", 8, "--no-check", "-o", output, *extra)
