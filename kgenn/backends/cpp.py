"""The target `cpu`: generated C++, compiled on first use."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

from kgenn.backends.base import Backend, Program, RunOptions, Simulator
from kgenn.backends.cpp_library import CppSimulator, open_library, read_program
from kgenn.backends.cpp_program import SOURCES, emit_cpp
from kgenn.backends.program_context import WEIGHTS
from kgenn.backends.toolchain import Toolchain, Units, build
from kgenn.ir.network import Network

UNITS = Units("network.cpp", "product.cpp")
FLAGS = (
    "-std=c++17",
    "-O3",
    "-march=native",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fPIC",
    "-pthread",
)


@cache
def toolchain() -> Toolchain:
    """Return what compiles C++ for this machine's processor."""
    install = "install g++ or clang++ (Debian: apt install g++), or set CXX to one"
    needed = "GCC 9 or later, or Clang 10 or later"
    return Toolchain("C++", "CXX", ("c++", "g++", "clang++"), FLAGS, processor(), "KG501", install, needed)


def processor() -> str:
    """Return what -march=native depends on: the instruction set, and its extensions where Linux lists them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return f"{platform.system()} {platform.machine()} {flags}"


class Cpp(Backend):
    """Generated C++: exact integer products, sparse or dense, threads over samples; needs only a C++ compiler."""

    def emit(self, network: Network) -> Program:
        return emit_cpp(network)

    def build(self, network: Network, directory: Path) -> None:
        self.load(network, directory, RunOptions())

    def load(self, network: Network, directory: Path | None, options: RunOptions) -> Simulator:
        files = self.emit(network).files if directory is None else read_program(directory, SOURCES)
        library = build({name: files[name] for name in SOURCES}, UNITS, toolchain(), directory)
        return CppSimulator(network, open_library(library), files[WEIGHTS], options)
