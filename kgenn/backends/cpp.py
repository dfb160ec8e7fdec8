"""The target `cpu`: generated C++, compiled on first use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kgenn.backends.base import Backend, Program, RunOptions, Simulator
from kgenn.backends.cpp_library import load_library, read_program
from kgenn.backends.cpp_program import emit_cpp
from kgenn.backends.toolchain import LEAVES, damaged
from kgenn.ir.network import Network


class Cpp(Backend):
    """Generated C++: exact integer products, sparse or dense, threads over samples; needs only a C++ compiler."""

    leaves = (*LEAVES, "build")

    def emit(self, network: Network) -> Program:
        return emit_cpp(network)

    def build(self, network: Network, directory: Path) -> None:
        # not what the directory holds: another process may have written it since
        load_library(network, self.emit(network).files, directory, RunOptions())

    def damaged(self, directory: Path) -> Mapping[str, str]:
        return dict(damaged(directory))

    def load(self, network: Network, directory: Path | None, options: RunOptions) -> Simulator:
        files = self.emit(network).files if directory is None else read_program(directory)
        return load_library(network, files, directory, options)
