"""The targets `genn-cpu` and `genn-cuda`: a Python program for GeNN, run in a process of its own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from kgenn.backends.base import Backend, Program, RunOptions, Simulator, Storage
from kgenn.backends.build_cache import cache_directory
from kgenn.backends.genn_connectivity import Device, storage
from kgenn.backends.genn_names import population_names
from kgenn.backends.genn_process import GennProcess, interpreter, scratch_directory
from kgenn.backends.genn_program import BACKENDS, BATCH_SIZES, LARGEST_BATCHES, MODEL, emit_genn
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from kgenn.ir.recording import SCORES, Recording, RecordingOptions

BUILD = "genn_build"


class Genn(Backend):
    """What the two GeNN targets share; they differ in the device."""

    leaves = (BUILD, f"{BUILD}/*")
    citations = ("yavuz2016genn", "knight2021pygenn")
    device: ClassVar[Device]

    def emit(self, network: Network) -> Program:
        return emit_genn(network, self.device)

    def storage(self, network: Network) -> tuple[Storage, ...]:
        return storage(network, self.device)

    def load(self, network: Network, directory: Path | None, options: RunOptions) -> Simulator:
        program = self.emit(network) if directory is None else None
        return GennSimulator(network, self.device, program, directory, options)


class GennCpu(Genn):
    """A readable Python program for GeNN's CPU backend; needs pygenn to run."""

    device: ClassVar[Device] = "cpu"


class GennCuda(Genn):
    """A readable Python program for GeNN's CUDA backend; needs pygenn and a GPU to run."""

    device: ClassVar[Device] = "cuda"


def cached(model: bytes) -> Path:
    """Return where the cache keeps the build of a program: GeNN builds again in a place what is not the same."""
    return cache_directory() / "genn" / hashlib.sha256(model).hexdigest()[:32]


class GennSimulator(Simulator):
    """A GeNN network in a process of its own, started with the first batch.

    A process that records spikes is another one, since recording is compiled in; so is that of another batch size.
    """

    def __init__(
        self,
        network: Network,
        device: Device,
        program: Program | None,
        directory: Path | None,
        options: RunOptions,
    ) -> None:
        self.network, self.device, self.options = network, device, options
        self.batch_size: int | None = None
        self.processes: dict[tuple[bool, int], GennProcess] = {}
        if directory is None:
            assert program is not None, "a network needs a program or a directory that holds one"
            directory = scratch_directory(self)
            for name, content in program.files.items():
                (directory / name).write_bytes(content)
            self.place = cached(program.files[MODEL])
        elif os.access(directory, os.W_OK):
            self.place = directory / BUILD
        else:
            self.place = cached((directory / MODEL).read_bytes())
        self.directory = directory

    @property
    def child_cpu_seconds(self) -> float:
        return sum(process.cpu_seconds for process in self.processes.values())

    @property
    def kernel_seconds(self) -> Mapping[str, float]:
        return next((p.kernel_seconds for p in self.processes.values() if p.kernel_seconds), {})

    def prepare(self, trace: bool, batch_size: int) -> None:
        self.batch_size = batch_size
        self.process(trace, batch_size)

    def run(self, drive: Array, first_sample: int, record: RecordingOptions = SCORES) -> Recording:
        process = self.process(record.trace, self.batch_size or min(len(drive), BATCH_SIZES[self.device]))
        arrays = process.run(drive, first_sample, record.curve)
        names = population_names(self.network)

        def of(kind: str) -> dict[str, Array]:
            return {p.name: arrays[f"{kind}.{names[p.name]}"] for p in self.network.spiking}

        raster = of("raster") if record.trace else None
        train_values = of("train_values") if record.train_values else None
        return Recording(arrays["scores"], of("counts"), raster, train_values)

    def process(self, record: bool, batch_size: int) -> GennProcess:
        """Return the process that records spikes, or the one that does not; a larger batch runs in parts."""
        key = record, min(batch_size, LARGEST_BATCHES[self.device])
        if key not in self.processes:
            options = {
                "backend": BACKENDS[self.device],
                "batch_size": key[1],
                "record": record,
                "kernel_times": self.options.kernel_times,
            }
            python = interpreter(self.options.genn_python)
            self.processes[key] = GennProcess(python, self.directory, self.place, options)
        return self.processes[key]
