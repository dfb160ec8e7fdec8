"""Integer C of a network, compiled as for a microcontroller and run on this machine."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np

from kgenn.export.c import CSources
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from programs import WARNINGS

# what a build for a microcontroller has, with the compiler of the host
FREESTANDING = ("-std=c99", "-O2", "-ffreestanding", "-fno-exceptions", "-fno-tree-loop-distribute-patterns")
# what a library and floating point would leave behind
ALONE = ("-nostdlib", "-mgeneral-regs-only")


class Machine:
    """An exported network, compiled for this machine.

    Attributes:
        value: the type of an input's values.
    """

    def __init__(self, network: Network, directory: Path, prefix: str = "tiny") -> None:
        for name, content in CSources().emit(network, prefix).files.items():
            (directory / name).write_bytes(content)
        self.network, self.prefix = network, prefix
        self.objects = [self.compile(directory, f"{prefix}_{part}.c", "-fPIC") for part in ("network", "weights")]
        state = (
            f'#include "{prefix}_network.h"\nint size_of_state(void) {{ return (int)sizeof({prefix}_state); }}\n'
        )
        (directory / "state.c").write_text(state)
        library = directory / "library.so"
        sources = [str(directory / "state.c"), *map(str, self.objects)]
        run("gcc", "-std=c99", "-shared", "-fPIC", "-o", str(library), *sources)
        header = (directory / f"{prefix}_network.h").read_text()
        self.value = np.uint8 if f"typedef uint8_t {prefix}_value" in header else np.int32
        self.library = ctypes.CDLL(str(library))
        self.score = getattr(self.library, f"{prefix}_score_at")
        self.score.restype = ctypes.c_int64
        self.state = (ctypes.c_uint8 * self.library.size_of_state())(*[170] * self.library.size_of_state())

    def compile(self, directory: Path, source: str, *flags: str) -> Path:
        made = directory / source.replace(".c", ".o")
        run("gcc", *FREESTANDING, *ALONE, *WARNINGS, *flags, "-c", "-o", str(made), str(directory / source))
        return made

    def call(self, name: str, *arguments: object) -> int:
        """Call a function of the program on its state."""
        return int(getattr(self.library, f"{self.prefix}_{name}")(self.state, *arguments))

    def step(self, values: Array | None) -> int:
        pointer = None if values is None else ctypes.c_void_p(values.ctypes.data)
        return self.call("step", pointer)

    @property
    def scores(self) -> Array:
        return np.array([self.score(self.state, i) for i in range(self.network.num_scores)], np.float32)


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
