"""Open files of arrays, of NumPy's .npz or of HDF5, whose large arrays are read row by row from where they are."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import h5py

from kgenn.diagnostics import fail
from kgenn.ir.archive import first_bytes, information, open_file, opened, parts_of, unpack
from kgenn.ir.file_part import FilePart
from kgenn.ir.graph import Array, Shape
from kgenn.ir.hdf5_items import DAMAGE, inside, problem_of, problem_of_chunks
from kgenn.ir.hdf5_items import MAGIC as HDF5_MAGIC
from kgenn.ir.npy import KINDS, ArrayHeader, Damaged, parse
from kgenn.ir.rows import MAX_IN_MEMORY, FileRows, InBlocks, Rows

# How an .npy file, of a single array, begins.
ARRAY_MAGIC = b"\x93NUMPY"


class Stored(Protocol):
    """An array in a file."""

    @property
    def shape(self) -> Shape:
        """Return its shape."""

    def rows(self, limit: int | None = None) -> Array | Rows:
        """Return its first rows, or all: in memory, or as `Rows` where they are larger than `MAX_IN_MEMORY`.

        Raises:
            Damaged: where they are not there.
        """


@contextmanager
def stored_arrays(path: Path) -> Iterator[Mapping[str, Stored]]:
    """Open a file and give its arrays by name. Their rows can be read also after the file is closed.

    Raises:
        OSError: where it cannot be opened; Damaged, a ValueError, where it cannot be read, or is of one array.
    """
    with open_file(path) as file:
        first = file.read(len(HDF5_MAGIC))
    if first.startswith(ARRAY_MAGIC):
        raise Damaged("it is a single array")
    if first == HDF5_MAGIC:
        yield _datasets(path)
        return
    with opened(path) as archive:
        names = (name for name in archive.namelist() if name.endswith(".npy"))
        yield _Opened({name.removesuffix(".npy"): name for name in names}, archive, str(path))


class _Opened(Mapping[str, Stored]):
    """The arrays of an open .npz archive."""

    def __init__(self, members: Mapping[str, str], archive: zipfile.ZipFile, where: str) -> None:
        self._members, self._archive, self._where = members, archive, where

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __getitem__(self, name: str) -> Stored:
        return _NpzArray(self._archive, self._members[name], name, self._where)


class _NpzArray:
    """An array of an open .npz archive."""

    def __init__(self, archive: zipfile.ZipFile, member: str, name: str, where: str) -> None:
        self._archive, self._member, self._name, self._where = archive, member, name, where
        info = information(archive, member)
        with archive.open(info) as file:
            self._header = ArrayHeader.of(file, info.file_size, name)

    @property
    def shape(self) -> Shape:
        return self._header.shape

    def rows(self, limit: int | None = None) -> Array | Rows:
        whole = self._header
        if not whole.shape or whole.fortran:  # no rows, or rows that lie scattered
            return parse(unpack(self._archive, self._member), self._name)[() if limit is None else slice(limit)]
        first = whole.first(whole.shape[0] if limit is None else min(limit, whole.shape[0]))
        size = first.size + first.num_bytes
        if first.num_bytes > MAX_IN_MEMORY:
            part = first_bytes(self._archive, self._member, size)
            values = part.kept_open(first.size, first.num_bytes)
            return FileRows(values, first.shape, first.dtype, self._where)
        if first == whole:
            return parse(unpack(self._archive, self._member), self._name)
        with self._archive.open(self._member) as file:
            return first.array(b"".join(parts_of(file, size, self._name))[first.size :])


def _datasets(path: Path) -> dict[str, Stored]:
    """Return the datasets at the root of an HDF5 file, which stays open as long as one of them is used."""
    with open_file(path) as bare:
        part = FilePart(bare, 0, path.stat().st_size).kept_open(0, path.stat().st_size)
    with _reading():
        file = h5py.File(part, "r")
        found = {name: inside(file, name) for name in file}
        return {n: _HDF5Array(item, n, str(path)) for n, item in found.items() if isinstance(item, h5py.Dataset)}


@contextmanager
def _reading() -> Iterator[None]:
    """Turn what h5py raises on a damaged file into `Damaged`."""
    try:
        yield
    except Damaged:
        raise
    except DAMAGE as error:
        raise Damaged(str(error) or type(error).__name__) from None


class _HDF5Array:
    """A dataset of an HDF5 file."""

    def __init__(self, dataset: h5py.Dataset, name: str, where: str) -> None:
        self._dataset, self._name, self._where = dataset, name, where

    @property
    def shape(self) -> Shape:
        with _reading():
            if self._dataset.shape is None or self._dataset.dtype.kind not in KINDS:
                kind = "no values" if self._dataset.shape is None else f"values of type {self._dataset.dtype}"
                raise Damaged(f"{self._name!r} has {kind}; allowed: numbers")
            return tuple(self._dataset.shape)

    def rows(self, limit: int | None = None) -> Array | Rows:
        shape = self.shape
        with _reading():
            problem = problem_of(self._dataset) if self._dataset.size else ""
            if problem:
                raise Damaged(f"{self._name!r} {problem}")
            if not shape:
                scalar: Array = self._dataset[()]
                return scalar
            count = shape[0] if limit is None else min(limit, shape[0])
            rows = _HDF5Rows(self._dataset, (count, *shape[1:]), self._name, self._where)
            if rows.size * rows.dtype.itemsize <= MAX_IN_MEMORY:
                return rows.read(0, count)
            return rows if self._dataset.chunks is None else InBlocks(rows, self._dataset.chunks[0])


class _HDF5Rows(Rows):
    """The first rows of a dataset of an HDF5 file."""

    def __init__(self, dataset: h5py.Dataset, shape: Shape, name: str, where: str) -> None:
        super().__init__(shape, dataset.dtype)
        self._dataset, self._name, self._where = dataset, name, where

    def read(self, start: int, stop: int) -> Array:
        """Return rows.

        Raises:
            KgennError: KG601 where they are not there, or take more memory than they should.
        """
        try:
            with _reading():
                problem = problem_of_chunks(self._dataset, start, stop) if self.size else ""
                if problem:
                    raise Damaged(f"{self._name!r} {problem}")
                found: Array = self._dataset[start:stop]
                return found
        except Damaged as error:
            raise fail("KG601", self._where, f"cannot be read: {error}", "copy or save the file again") from error
