"""Build and run emitted programs as a user without kgenn would."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

from kgenn.backends import TARGETS
from kgenn.ir.graph import Array
from kgenn.ir.network import Network

WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wpedantic")
# as the emitted CMakeLists.txt has them
PLAIN = ("-std=c++17", "-O1", "-ffp-contract=off", "-pthread")


def emit(network: Network, directory: Path, target: str = "cpu") -> Path:
    """Write the program of a network and return its directory."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in TARGETS.get(target)().emit(network).files.items():
        (directory / name).write_bytes(content)
    return directory


def build_executable(directory: Path, *flags: str) -> Path:
    """Compile main.cpp and network.cpp with g++ and return the executable."""
    program = directory / "classify"
    sources = [str(directory / name) for name in ("main.cpp", "network.cpp", "product.cpp")]
    done = subprocess.run(
        ["g++", *PLAIN, *flags, "-o", str(program), *sources], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return program


def classify(program: Path, directory: Path, x: Array) -> list[int]:
    """Run an executable on samples and return the classes it prints; anything on stderr is a failure."""
    return [int(line.split()[0]) for line in printed(program, directory, x)]


def printed(program: Path, directory: Path, x: Array) -> list[str]:
    """Run an executable on samples and return the lines it prints; anything on stderr is a failure."""
    (directory / "samples.f32").write_bytes(np.ascontiguousarray(x, np.float32).tobytes())
    command = [str(program), str(directory / "weights.bin"), str(directory / "samples.f32")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()
