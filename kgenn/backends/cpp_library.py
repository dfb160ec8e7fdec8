"""Call a generated C++ or CUDA program, compiled to a library, through ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import get_args

import numpy as np

from kgenn.backends.base import RunOptions, Simulator, SynapseAlgorithm, Work
from kgenn.backends.build_cache import cache_directory
from kgenn.backends.cpp_stepper import CppStepper
from kgenn.backends.interface_schema import ALGORITHMS, OPTIONS, RECORDING, USAGE, fields_of
from kgenn.backends.interruptible import interruptible
from kgenn.backends.program_context import WEIGHTS
from kgenn.backends.stepping import Stepper
from kgenn.diagnostics import KgennError, fail
from kgenn.ir.graph import Array
from kgenn.ir.network import Connection, Network
from kgenn.ir.recording import SCORES, Recording, RecordingOptions

# What is called in a compiled program.
SYMBOLS = ("kgenn_create", "kgenn_close", "kgenn_run")


def read_program(directory: Path, sources: Sequence[str]) -> dict[str, bytes]:
    """Return the sources and the weights of a program from its output directory, so that a user's changes count.

    Raises:
        KgennError: KG605 where a file is missing.
    """
    try:
        return {name: (directory / name).read_bytes() for name in (*sources, WEIGHTS)}
    except OSError as error:
        what = f"cannot be read: {error.strerror or error}"
        raise fail("KG605", str(error.filename), what, "compile the model again") from error


def open_library(path: Path, symbols: Sequence[str] = SYMBOLS) -> ctypes.CDLL:
    """Load a compiled program.

    Args:
        symbols: the functions that are called in it.

    Raises:
        KgennError: KG504 where it is none.
    """
    advice = f"delete the file: it is built again; the build cache is {cache_directory()}"
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise fail("KG504", str(path), f"cannot be loaded: {error}", advice) from error
    missing = [name for name in symbols if not hasattr(library, name)]
    if missing:
        raise fail("KG504", str(path), f"is not a program of kgenn: it has no {', '.join(missing)}", advice)
    return library


# As the program numbers them.
CHOICES: tuple[SynapseAlgorithm, ...] = get_args(SynapseAlgorithm)


# Updates of neurons that take less than half a second, which Ctrl-C may wait.
QUICK = 100_000_000


class OptionsStruct(ctypes.Structure):
    """`kgenn_options` of the generated header."""

    _fields_ = fields_of(OPTIONS)


class UsageStruct(ctypes.Structure):
    """`kgenn_usage` of the generated header."""

    _fields_ = fields_of(USAGE)


class RecordingStruct(ctypes.Structure):
    """`kgenn_recording` of the generated header."""

    _fields_ = fields_of(RECORDING)


class CppSimulator(Simulator):
    """A compiled network with its weights."""

    def __init__(self, network: Network, library: ctypes.CDLL, words: bytes, options: RunOptions) -> None:
        self.network = network
        self.options = options
        self.spiking = [c for c in network.connections if not network.is_analog(c)]
        self.usage = (UsageStruct * max(1, len(self.spiking)))()
        self.library = library
        self.lock = Lock()
        library.kgenn_create.restype = ctypes.c_void_p
        library.kgenn_create.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
        library.kgenn_close.argtypes = [ctypes.c_void_p]
        pointer, long = ctypes.c_void_p, ctypes.c_int64
        library.kgenn_run.argtypes = [pointer, pointer, long, long, pointer, pointer]
        self.handle = library.kgenn_create(words, len(words))
        if not self.handle:
            what = "the compiled program does not take these weights"
            raise fail("KG504", WEIGHTS, what, "compile the model again into a new directory")

    def __del__(self) -> None:
        if getattr(self, "handle", None):
            self.library.kgenn_close(self.handle)

    def stepper(self) -> Stepper | None:
        return CppStepper(self.network, self, self.library, self.handle)

    @property
    def work(self) -> tuple[Work, ...]:
        return tuple(work_of(c, usage) for c, usage in zip(self.spiking, self.usage, strict=False))

    def run(self, drive: Array, first_sample: int, record: RecordingOptions = SCORES) -> Recording:
        network, num_samples, steps = self.network, len(drive), self.network.num_timesteps
        drive = np.ascontiguousarray(drive, np.float32)
        num_neurons = sum(p.size for p in network.spiking)
        scores = np.zeros((num_samples, steps if record.curve else 1, network.num_scores), np.float32)
        together = not record.per_sample
        counts = np.zeros((1 if together else num_samples, num_neurons), np.int64 if together else np.int32)
        train_values = np.zeros((num_samples, num_neurons), np.int32) if record.train_values else None
        raster = np.zeros((num_samples, steps, num_neurons), np.int8) if record.trace else None
        each, total = (None, counts) if together else (counts, None)
        pointers = [None if a is None else a.ctypes.data for a in (scores, each, train_values, raster, total)]
        options = OptionsStruct(self.options.threads, record.curve, CHOICES.index(self.options.synapses))
        recording = RecordingStruct(*pointers[:-1], ctypes.addressof(self.usage), pointers[-1])
        status = self._call(drive, first_sample, options, recording, (scores, counts, train_values, raster))
        if status != 0:
            raise self.failure(status)
        return Recording(scores, self._split(counts), self._maybe_split(raster), self._maybe_split(train_values))

    def _call(
        self,
        drive: Array,
        first_sample: int,
        options: OptionsStruct,
        recording: RecordingStruct,
        arrays: tuple[Array | None, ...],
    ) -> int:
        """Run the program; an interrupt does not wait for it.

        Args:
            arrays: what the recording points to, which must live as long as the program runs.
        """

        def call(held: tuple[Array | None, ...] = arrays) -> int:
            with self.lock:  # a run that was interrupted may be under way still
                pointers = ctypes.byref(options), ctypes.byref(recording)
                run = self.library.kgenn_run
                return int(run(self.handle, drive.ctypes.data, len(drive), first_sample, *pointers))

        updates = len(drive) * self.network.num_timesteps * sum(p.size for p in self.network.spiking)
        return interruptible(call) if updates > QUICK else call()

    def failure(self, status: int) -> KgennError:
        """Return what a status other than 0 means: KG608, out of memory."""
        what = f"the program ended with status {status}: out of memory"
        return fail("KG608", self.network.name, what, "use fewer threads")

    def _maybe_split(self, values: Array | None) -> dict[str, Array] | None:
        return None if values is None else self._split(values)

    def _split(self, values: Array) -> dict[str, Array]:
        """Split the last axis, all spiking neurons, into populations."""
        stops = np.cumsum([p.size for p in self.network.spiking])
        return {
            p.name: values[..., stop - p.size : stop] for p, stop in zip(self.network.spiking, stops, strict=True)
        }


def work_of(connection: Connection, usage: UsageStruct) -> Work:
    """Return in words how a connection was computed."""
    lanes = {name: getattr(usage, name) for name in ALGORITHMS}
    total = max(1, sum(lanes.values()))
    algorithms = {name: count / total for name, count in lanes.items() if count}
    return Work(connection.source, connection.target, algorithms, usage.density_sum / total)
