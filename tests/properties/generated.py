"""Run generated C++ of random networks, cheaply: the network's own unit is compiled once for all processors."""

from __future__ import annotations

import ctypes
import hashlib
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from kgenn.backends.base import RunOptions, SynapseAlgorithm
from kgenn.backends.build_cache import cache_directory
from kgenn.backends.cpp_library import CppSimulator
from kgenn.backends.cpp_program import PRODUCT
from kgenn.backends.program_context import WEIGHTS
from kgenn.ir.network import Network
from processors import flags_of
from programs import emit

# no speed is wanted of a unit that runs once
QUICK = (*flags_of("portable"), "-O1")


def product_of(directory: Path, processor: str) -> Path:
    """Compile the products of a program for a processor, once for all programs, and return the object."""
    flags = flags_of(processor)
    digest = hashlib.sha256(repr(flags).encode())
    for name in (*PRODUCT, "values.hpp"):
        digest.update((directory / name).read_bytes())
    kept = cache_directory() / f"{digest.hexdigest()[:32]}-{processor}.o"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        made = directory / f"{processor}.o"
        run(*flags, "-c", "-o", str(made), str(directory / "product.cpp"))
        made.replace(kept)
    return kept


def run(*arguments: str) -> None:
    subprocess.run(["g++", *arguments], check=True)


class Program:
    """A network compiled for some processors.

    Attributes:
        libraries: by processor.
    """

    def __init__(self, network: Network, directory: Path, processors: Iterable[str]) -> None:
        self.network = network
        emit(network, directory)
        self.words = (directory / WEIGHTS).read_bytes()
        own = directory / "network.o"
        run(*QUICK, "-c", "-o", str(own), str(directory / "network.cpp"))
        self.libraries: dict[str, ctypes.CDLL] = {}
        for processor in processors:
            library = directory / f"{processor}.so"
            run("-shared", "-pthread", "-o", str(library), str(own), str(product_of(directory, processor)))
            self.libraries[processor] = ctypes.CDLL(str(library))

    def simulator(self, processor: str, way: SynapseAlgorithm, threads: int) -> CppSimulator:
        options = RunOptions(threads, synapses=way)
        return CppSimulator(self.network, self.libraries[processor], self.words, options)


@contextmanager
def compiled_for(network: Network, *processors: str) -> Iterator[Program]:
    """Compile a network for processors, in a folder that does not last."""
    with TemporaryDirectory() as folder:
        yield Program(network, Path(folder), processors)
