"""Build and run emitted programs as a user without kgenn would."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import numpy as np

from kgenn.backends import TARGETS, build_cache
from kgenn.backends.build_cache import cache_directory
from kgenn.backends.toolchain import included
from kgenn.files.scratch import scratch
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
    sources = [str(directory / name) for name in ("main.cpp", "network.cpp")]
    _compile(*flags, "-o", str(program), *sources, str(products(directory, *flags)))
    return program


def products(directory: Path, *flags: str) -> Path:
    """Return the object of product.cpp, which is the same for many programs: compiled once for all tests."""
    sources = {path.name: path.read_bytes() for path in directory.glob("*.[ch]pp")}
    made_from = [*PLAIN, *flags, *included(sources, "product.cpp").values()]
    key = build_cache.key(hashlib.sha256(repr(made_from).encode()).hexdigest(), "g++")
    found = build_cache.find(key, ".o")
    if found is None:
        cache_directory().mkdir(parents=True, exist_ok=True)
        with scratch(cache_directory() / "build") as place:
            _compile(*flags, "-c", "-o", str(place / "product.o"), str(directory / "product.cpp"))
            found = build_cache.keep(key, place / "product.o")
    return found


def _compile(*arguments: str) -> None:
    done = subprocess.run(["g++", *PLAIN, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


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
