"""The target `cuda`: generated CUDA, compiled by nvcc on first use."""

from __future__ import annotations

import ctypes
import platform
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from kgenn.backends.base import Backend, Program, RunOptions, Simulator
from kgenn.backends.bounded_process import run_bounded
from kgenn.backends.cpp_library import SYMBOLS, CppSimulator, open_library, read_program
from kgenn.backends.cpp_sizes import check_sizes
from kgenn.backends.cuda_program import SOURCES, emit_cuda
from kgenn.backends.interface_schema import NO_DEVICE, NO_MEMORY
from kgenn.backends.left_library import LEAVES, damaged
from kgenn.backends.program_context import WEIGHTS
from kgenn.backends.stepping import Stepper
from kgenn.backends.toolchain import Toolchain, Units, build
from kgenn.diagnostics import KgennError, fail
from kgenn.ir.network import Network

UNITS = Units("network.cu")
# neuron dynamics round after every operation: no fused multiply-add
FLAGS = ("-std=c++17", "-O3", "--fmad=false", "-Xcompiler=-fPIC,-ffp-contract=off")
LINK_FLAGS = ("-Xlinker=--no-undefined",)
# The architectures that a program is compiled for where no device says which: Turing, Ampere, Hopper. Devices
# between them run the code of the one before, and later ones compile the intermediate code of the last.
ARCHITECTURES = ("75", "80", "90")
# After which the driver's tool is taken to hang.
QUERY_SECONDS = 20.0


class Cuda(Backend):
    """Generated CUDA: exact integer products in tensor cores, all timesteps at once; needs nvcc and a GPU."""

    leaves = LEAVES

    def emit(self, network: Network) -> Program:
        return emit_cuda(network)

    def build(self, network: Network, directory: Path) -> None:
        # not what the directory holds: another process may have written it since
        self._library(network, self.emit(network).files, directory)

    def damaged(self, directory: Path) -> Mapping[str, str]:
        return dict(damaged(directory))

    def load(self, network: Network, directory: Path | None, options: RunOptions) -> Simulator:
        files = self.emit(network).files if directory is None else read_program(directory, SOURCES)
        library = open_library(self._library(network, files, directory), (*SYMBOLS, "kgenn_describe"))
        return CudaSimulator(network, library, files[WEIGHTS], options)

    def _library(self, network: Network, files: Mapping[str, bytes], directory: Path | None) -> Path:
        """Return the compiled program."""
        check_sizes(network, files, WEIGHTS)
        return build({name: files[name] for name in SOURCES}, UNITS, toolchain(), directory)


class CudaSimulator(CppSimulator):
    """A compiled network with its weights, on the current CUDA device."""

    def stepper(self) -> Stepper | None:
        return None  # the program computes all timesteps of a layer at once

    def failure(self, status: int) -> KgennError:
        """Return what a status other than 0 means: KG507, KG608 or KG610."""
        describe = self.library.kgenn_describe
        describe.restype = ctypes.c_char_p
        what = describe(status).decode()
        if status == NO_DEVICE:
            return fail("KG507", "CUDA", what, "the target cpu gives the same spikes")
        if status == NO_MEMORY:
            advice = "free some of the device's memory, or use --target cpu; a sample alone does not fit"
            return fail("KG608", self.network.name, what, advice)
        advice = "update the driver, or delete the compiled library, which is built again"
        return fail("KG610", self.network.name, f"the CUDA device reports: {what}", advice)


@cache
def toolchain() -> Toolchain:
    """Return what compiles CUDA for this machine's devices."""
    install = "install the CUDA toolkit, or set NVCC to its nvcc"
    candidates = ("nvcc", "/usr/local/cuda/bin/nvcc")
    flags = (*FLAGS, *targets(capabilities()))
    needed = "the nvcc of CUDA 12 or later"
    return Toolchain("CUDA", "NVCC", candidates, flags, LINK_FLAGS, platform.machine(), "KG510", install, needed)


def targets(found: tuple[str, ...]) -> tuple[str, ...]:
    """Return nvcc's options for devices of the given compute capabilities, or for several kinds without one."""
    options = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in found or ARCHITECTURES]
    latest = [] if found else [f"-gencode=arch=compute_{ARCHITECTURES[-1]},code=compute_{ARCHITECTURES[-1]}"]
    return (*options, *latest)


def capabilities() -> tuple[str, ...]:
    """Return the compute capabilities of the devices present, times 10, as the driver's tool tells them."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    query = [tool, "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        lines = run_bounded(query, QUERY_SECONDS).stdout.split()
    except (OSError, subprocess.TimeoutExpired):  # a driver that hangs: the program is compiled for several kinds
        return ()
    return tuple(sorted({line.replace(".", "") for line in lines if line.replace(".", "").isdigit()}))
