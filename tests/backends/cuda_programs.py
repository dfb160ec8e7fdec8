"""Compile emitted CUDA for a device on the host, `cuda_host`, and run it there."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

from kgenn.backends import RunOptions
from kgenn.backends.base import SynapseAlgorithm
from kgenn.backends.cuda import CudaSimulator
from kgenn.backends.program_context import WEIGHTS
from kgenn.ir.network import Network
from programs import emit

HOST = Path(__file__).parent / "cuda_host"
FLAGS = ("-std=c++17", "-O1", "-ffp-contract=off", "-fPIC", "-shared")
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas")


def build_executable(directory: Path, *flags: str) -> Path:
    """Compile main.cpp and network.cu with g++ for the device on the host and return the executable."""
    program = directory / "classify"
    sources = [str(directory / name) for name in ("network.cu", "main.cpp")]
    command = ["g++", *FLAGS[:3], *WARNINGS, *flags, "-I", str(HOST), "-o", str(program), "-x", "c++", *sources]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program


class HostDevice:
    """An emitted CUDA program of a network, compiled by g++ for the device on the host."""

    def __init__(self, network: Network, directory: Path, *flags: str) -> None:
        self.network = network
        source, library = emit(network, directory, "cuda") / "network.cu", directory / "network.so"
        command = ["g++", *FLAGS, *WARNINGS, *flags, "-I", str(HOST), "-o", str(library), "-x", "c++", str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        self.library = ctypes.CDLL(str(library))
        self.words = (directory / WEIGHTS).read_bytes()

    def simulator(self, way: SynapseAlgorithm = "auto") -> CudaSimulator:
        """Return the program with its weights, computing synapses in one way."""
        return CudaSimulator(self.network, self.library, self.words, RunOptions(synapses=way))
