"""The target `cpu`: generated C++, compiled on first use."""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from kgenn.backends.base import Backend, Program, RunOptions, Simulator
from kgenn.backends.cpp_library import CppSimulator, open_library, read_program
from kgenn.backends.cpp_program import SOURCES, emit_cpp
from kgenn.backends.cpp_sizes import check_sizes
from kgenn.backends.left_library import LEAVES, damaged
from kgenn.backends.program_context import WEIGHTS
from kgenn.backends.toolchain import Toolchain, Units, build
from kgenn.diagnostics import fail
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
    # whole vectors: loops over neurons keep no processor waiting
    *(("-mprefer-vector-width=512",) if platform.machine() == "x86_64" else ()),
)

# A program compiles in a third of the time and is about as fast: its products are in the shared file.
QUICK_FLAGS = ("-O1", "-ftree-vectorize")


def toolchain(quick: bool = False) -> Toolchain:
    """Return what compiles C++ for this machine's processor, with the flags of $KGENN_CXXFLAGS after kgenn's own.

    Args:
        quick: for a program that runs once: less time in the compiler.

    Raises:
        KgennError: KG501 where the variable is not a list of flags.
    """
    install = "install g++ or clang++ (Debian: apt install g++), or set CXX to one"
    needed = "GCC 9 or later, or Clang 10 or later"
    compilers, added = ("c++", "g++", "clang++"), added_flags()
    if added:
        needed += f", or KGENN_CXXFLAGS to flags that it takes instead of {shlex.join(added)}"
    link, machine, more = no_undefined(), processor(), QUICK_FLAGS if quick else ()
    return Toolchain("C++", "CXX", compilers, FLAGS, link, machine, "KG501", install, needed, more, tuple(added))


def added_flags() -> list[str]:
    """Return the flags of $KGENN_CXXFLAGS; with -O1, for one, a program compiles in a third of the time."""
    text = os.environ.get("KGENN_CXXFLAGS", "")
    try:
        return shlex.split(text)
    except ValueError as error:
        what = f"is {text!r}: {str(error).lower()}"
        raise fail("KG501", "KGENN_CXXFLAGS", what, "set it to flags, or unset it") from error


def no_undefined() -> tuple[str, ...]:
    """Return what makes the linker refuse a library with a symbol that nothing defines."""
    return ("-Wl,-undefined,error",) if platform.system() == "Darwin" else ("-Wl,--no-undefined",)


@cache
def processor() -> str:
    """Return what -march=native depends on: the instruction set, and its extensions where Linux lists them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return f"{platform.system()} {platform.machine()} {flags}"


class Cpp(Backend):
    """Generated C++: exact integer products, sparse or dense, threads over samples; needs only a C++ compiler.

    Args:
        quick: build fast what runs once.
    """

    leaves = LEAVES
    checked = True

    def __init__(self, quick: bool = False) -> None:
        self.quick = quick

    def emit(self, network: Network) -> Program:
        return emit_cpp(network)

    def build(self, network: Network, directory: Path) -> None:
        # not what the directory holds: another process may have written it since
        self._load(network, self.emit(network).files, directory, RunOptions())

    def damaged(self, directory: Path) -> Mapping[str, str]:
        return dict(damaged(directory))

    def load(self, network: Network, directory: Path | None, options: RunOptions) -> Simulator:
        files = self.emit(network).files if directory is None else read_program(directory, SOURCES)
        return self._load(network, files, directory, options)

    def _load(
        self, network: Network, files: Mapping[str, bytes], directory: Path | None, options: RunOptions
    ) -> Simulator:
        check_sizes(network, files, WEIGHTS)
        library = build({name: files[name] for name in SOURCES}, UNITS, toolchain(self.quick), directory)
        return CppSimulator(network, open_library(library), files[WEIGHTS], options)
