"""The file of every spike of a run: written batch by batch in bounded memory, and read back."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np

from kgenn.diagnostics import KgennError, fail
from kgenn.files.durable import replace
from kgenn.files.scratch import scratch
from kgenn.ir.archive import arrays
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from kgenn.ir.recording import Recording

# The first date a zip file can hold, so that equal traces are equal bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)
# Bytes of a raster whose spikes are listed at once (16 MiB): the list can take forty times as many.
PART_BYTES = 1 << 24
COLUMNS = {"sample": "<i4", "timestep": "<i4", "neuron": "<i4", "value": "|i1"}


class TraceWriter:
    """Collect spikes as events, and write the file when the block ends without an error.

    For each spiking population NAME the file holds the columns of a table with a row for each spike, ordered
    by sample, timestep and neuron: `NAME/sample`, `NAME/timestep`, `NAME/neuron` (int32; neurons in C order of
    the population's shape) and `NAME/value` (int8: what the spike carries, 1 for a unit spike), and
    `NAME/shape`. It also holds `num_samples` and `num_timesteps`. See docs/reference/trace.md.

    Raises:
        KgennError: KG606 where the file cannot be written.
    """

    def __init__(self, path: Path, network: Network) -> None:
        self.path = path
        self.network = network
        self.num_samples = 0
        self.num_events = [0] * len(network.spiking)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._scratch = ExitStack()
            self._place = self._scratch.enter_context(scratch(Path(os.path.realpath(path))))
        except OSError as error:
            raise self._failure(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        with self._scratch:
            if kind is None:
                try:
                    self._finish()
                except OSError as problem:
                    raise self._failure(problem) from problem

    def add(self, first_sample: int, recording: Recording) -> None:
        """Append the spikes of a batch that starts with a sample."""
        assert recording.raster is not None, "the recording has no spikes"
        try:
            for number, population in enumerate(self.network.spiking):
                raster = recording.raster[population.name]
                at_once = max(1, PART_BYTES // max(raster[:1].nbytes, 1))
                for start in range(0, len(raster), at_once):
                    self._append(number, first_sample + start, raster[start : start + at_once])
        except OSError as error:
            raise self._failure(error) from error
        self.num_samples = first_sample + len(recording.scores)

    def _append(self, number: int, first_sample: int, raster: Array) -> None:
        flat = np.ascontiguousarray(raster).ravel()
        where = np.flatnonzero(flat)
        value = flat[where]
        rest, neuron = np.divmod(where, raster.shape[2])
        sample, timestep = np.divmod(rest, raster.shape[1])
        self.num_events[number] += len(value)
        for column, array in zip(COLUMNS, (sample + first_sample, timestep, neuron, value), strict=True):
            with self._spool(number, column).open("ab") as file:
                file.write(array.astype(COLUMNS[column]).tobytes())

    def _spool(self, number: int, column: str) -> Path:
        return self._place / f"{number}.{column}"

    def _finish(self) -> None:
        whole = self._place / "trace.npz"
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            _write_array(archive, "num_samples", np.array(self.num_samples))
            _write_array(archive, "num_timesteps", np.array(self.network.num_timesteps))
            for number, population in enumerate(self.network.spiking):
                _write_array(archive, f"{population.name}/shape", np.array(population.shape))
                for column, dtype in COLUMNS.items():
                    spool = self._spool(number, column)
                    _copy_array(archive, f"{population.name}/{column}", spool, dtype, self.num_events[number])
        replace(whole, Path(os.path.realpath(self.path)))

    def _failure(self, error: OSError) -> KgennError:
        return fail("KG606", str(self.path), f"cannot be written: {error.strerror or error}")


def _member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    info = zipfile.ZipInfo(f"{name}.npy", EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    return archive.open(info, "w", force_zip64=True)


def _write_array(archive: zipfile.ZipFile, name: str, array: Array) -> None:
    with _member(archive, name) as file:
        np.lib.format.write_array(file, array, allow_pickle=False)


def _copy_array(archive: zipfile.ZipFile, name: str, spool: Path, dtype: str, length: int) -> None:
    """Copy an array's values from a file, which is missing where there are none."""
    header = {"descr": dtype, "fortran_order": False, "shape": (length,)}
    with _member(archive, name) as file:
        np.lib.format.write_array_header_1_0(file, header)
        if length:
            with spool.open("rb") as values:
                shutil.copyfileobj(values, file)


@dataclass(frozen=True, eq=False)
class PopulationSpikes:
    """Spikes of a population: a row for each, ordered by sample and timestep.

    Attributes:
        size: of the population.
        sample, timestep, neuron, value: shape (spikes,).
    """

    size: int
    sample: Array
    timestep: Array
    neuron: Array
    value: Array

    def chosen(self, which: Array) -> PopulationSpikes:
        """Return some of them, by a mask."""
        return PopulationSpikes(
            self.size, *(a[which] for a in (self.sample, self.timestep, self.neuron, self.value))
        )


@dataclass(frozen=True, eq=False)
class Trace:
    """All spikes of a run, by population.

    Attributes:
        populations: by name, in the order of the network.
    """

    num_samples: int
    num_timesteps: int
    populations: Mapping[str, PopulationSpikes]

    def of_sample(self, sample: int) -> dict[str, PopulationSpikes]:
        """Return the spikes of one sample."""
        return {name: spikes.chosen(spikes.sample == sample) for name, spikes in self.populations.items()}


def read_trace(path: Path) -> Trace:
    """Read a trace.

    Raises:
        KgennError: KG601 where the file is none.
    """
    advice = "give a file that kgenn run --trace wrote"
    try:
        with arrays(path) as archive:
            names = [name.removesuffix("/shape") for name in archive if name.endswith("/shape")]
            found = {}
            for name in names:
                columns = [archive[f"{name}/{column}"] for column in ("sample", "timestep", "neuron", "value")]
                found[name] = PopulationSpikes(prod(archive[f"{name}/shape"].tolist()), *columns)
            trace = Trace(int(archive["num_samples"]), int(archive["num_timesteps"]), found)
    except OSError as error:
        raise fail("KG601", str(path), f"cannot be read: {error.strerror or error}", advice) from error
    except (KeyError, ValueError, TypeError) as error:
        raise fail("KG601", str(path), f"is not a trace: {error}", advice) from error
    if not all(_is_sound(trace, spikes) for spikes in found.values()):
        raise fail("KG601", str(path), "has spikes of neurons or timesteps that do not exist", advice)
    return trace


def _is_sound(trace: Trace, spikes: PopulationSpikes) -> bool:
    """Tell whether the columns belong together and lie in their ranges."""
    columns = (spikes.sample, spikes.timestep, spikes.neuron)
    limits = (trace.num_samples, trace.num_timesteps, spikes.size)
    if len({a.shape for a in (*columns, spikes.value)}) > 1:
        return False
    whole = all(a.ndim == 1 and a.dtype.kind in "iu" for a in columns)
    return whole and all(np.all((a >= 0) & (a < limit)) for a, limit in zip(columns, limits, strict=True))
