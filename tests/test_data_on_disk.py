"""Data sets that are larger than what is kept in memory: the same values, read batch by batch."""

from __future__ import annotations

import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgenn.data.load import Data, load_data
from kgenn.diagnostics import KgennError
from kgenn.ir.data_file import stored_arrays
from kgenn.ir.file_part import FilePart
from kgenn.ir.graph import Array
from kgenn.ir.hdf5_items import problem_of_chunks
from kgenn.ir.rows import Computed, InBlocks, Rows

NUM_SAMPLES = 40
X = np.random.default_rng(1).integers(0, 256, (NUM_SAMPLES, 5, 3), np.uint8)
Y = np.arange(NUM_SAMPLES) % 3


def write_hdf5(path: Path, **options: Any) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=X, **options)
        file.create_dataset("y", data=Y)


WRITERS: dict[str, Callable[[Path], None]] = {
    "npz": lambda path: np.savez(path, x=X, y=Y),
    "compressed npz": lambda path: np.savez_compressed(path, x=X, y=Y),
    "npz in Fortran's order": lambda path: np.savez(path, x=np.asfortranarray(X), y=Y),
    "HDF5": write_hdf5,
    "HDF5 in chunks": lambda path: write_hdf5(path, chunks=(7, 2, 3)),
    "compressed HDF5": lambda path: write_hdf5(path, chunks=(7, 5, 2), compression="gzip", shuffle=True),
}


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep no more than 100 bytes of an array in memory."""
    for module in ("kgenn.ir.data_file", "kgenn.data.load"):
        monkeypatch.setattr(f"{module}.MAX_IN_MEMORY", 100)


@pytest.fixture(params=WRITERS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a file of X and Y."""
    place = tmp_path / "data.npz"
    WRITERS[request.param](place)
    return place


@pytest.mark.parametrize("limit", [None, 1, 9, NUM_SAMPLES, NUM_SAMPLES + 5])
def test_all_formats_hold_the_same_samples_in_memory_and_on_disk(
    path: Path, limit: int | None, request: pytest.FixtureRequest
) -> None:
    in_memory = load_data(path, limit=limit)
    request.getfixturevalue("small_memory")
    on_disk = load_data(path, limit=limit)
    for data in (in_memory, on_disk):
        assert len(data) == len(X[:limit])
        assert data.x.dtype == X.dtype
        assert np.array_equal(np.asarray(data.x), X[:limit])
        assert np.array_equal(np.asarray(data.y), Y[:limit])
    assert isinstance(in_memory.x, np.ndarray)


@pytest.mark.usefixtures("small_memory")
def test_large_arrays_stay_on_disk(path: Path, request: pytest.FixtureRequest) -> None:
    found = load_data(path).x
    assert isinstance(found, Rows) == ("Fortran" not in request.node.name)


@pytest.mark.usefixtures("small_memory")
@pytest.mark.parametrize("shape", [(5, 3), (5, 3, 1)])
def test_samples_on_disk_are_scaled_as_those_in_memory(path: Path, shape: tuple[int, ...]) -> None:
    ready = load_data(path).prepared({"image": shape}, Fraction(1, 255), "data").x.arrays["image"]
    assert isinstance(ready, Rows)
    assert (ready.shape, ready.dtype) == ((NUM_SAMPLES, *shape), np.float32)
    wanted = (X / 255).astype(np.float32).reshape(-1, *shape)
    assert np.array_equal(np.asarray(ready), wanted)
    assert np.array_equal(ready[3:5], wanted[3:5])


@pytest.mark.usefixtures("small_memory")
@pytest.mark.parametrize(("shape", "scale", "code"), [((4, 3), Fraction(1), "KG602"), ((5, 3), None, "KG604")])
def test_samples_on_disk_are_refused_as_those_in_memory(
    path: Path, shape: tuple[int, ...], scale: Fraction | None, code: str
) -> None:
    with pytest.raises(KgennError) as caught:
        load_data(path).prepared({"image": shape}, scale, "data")
    with pytest.raises(KgennError) as expected:
        Data(X, Y).prepared({"image": shape}, scale, "data")
    assert caught.value.diagnostics == expected.value.diagnostics
    assert caught.value.diagnostics[0].code == code


def test_a_limit_reads_no_more_than_it_needs(tmp_path: Path) -> None:
    path, images = tmp_path / "data.npz", np.repeat(X, 1000, axis=2)
    np.savez(path, x=images)
    content = bytearray(path.read_bytes())
    content[content.index(images.tobytes()) + images.size - 1] ^= 1
    path.write_bytes(content)
    assert np.array_equal(load_data(path, limit=NUM_SAMPLES - 1).x, images[:-1])
    with pytest.raises(KgennError, match=r"KG601.*CRC"):
        load_data(path)


@pytest.mark.usefixtures("small_memory")
@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_damage_on_disk_is_found_before_a_sample_runs(tmp_path: Path, write: Callable[..., None]) -> None:
    path = tmp_path / "data.npz"
    write(path, x=X)
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("x.npy")
    content = bytearray(path.read_bytes())
    content[info.header_offset + len("x.npy") + 30 + info.compress_size - 6] ^= 4
    path.write_bytes(content)
    with pytest.raises(KgennError, match="KG601"):
        load_data(path)


@pytest.mark.usefixtures("small_memory")
@pytest.mark.parametrize("form", ["npz", "HDF5", "HDF5 in chunks", "compressed HDF5"])
def test_a_file_that_is_cut_off_while_it_is_read_is_named(tmp_path: Path, form: str) -> None:
    path = tmp_path / "data.npz"
    WRITERS[form](path)
    found = load_data(path).x
    with path.open("r+b") as file:
        file.truncate(200)
    with pytest.raises(KgennError, match=r"KG601.*data\.npz.*cut off while it was read"):
        np.asarray(found)


def test_a_part_of_a_file_is_read_whole_in_pieces_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kgenn.ir.file_part.LARGEST_READ", 7)
    content = bytes(range(100))
    (tmp_path / "file").write_bytes(content)
    with (tmp_path / "file").open("rb") as file:
        part = FilePart(file, 10, 80)
        assert part[3:60] == content[13:70]
        assert part.read() == content[10:90]


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed, None])
def test_batches_of_a_large_file_take_the_memory_of_a_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[..., None] | None
) -> None:
    path, images = tmp_path / "data.npz", np.ones((4096, 64, 64), np.uint8)  # 16 MiB
    if write is None:
        with h5py.File(path, "w") as file:
            file["x"] = images
    else:
        write(path, x=images)
    for module in ("kgenn.ir.data_file", "kgenn.data.load"):
        monkeypatch.setattr(f"{module}.MAX_IN_MEMORY", 1 << 20)
    tracemalloc.start()
    try:
        ready = load_data(path).prepared({"image": (64, 64, 1)}, Fraction(1, 255), "data").x.arrays["image"]
        total = sum(float(ready[start : start + 32].sum()) for start in range(0, len(ready), 32))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == pytest.approx(images.size / 255, rel=1e-5)
    assert peak < 16 << 20


@given(
    st.one_of(
        st.integers(-NUM_SAMPLES, NUM_SAMPLES - 1),
        st.slices(NUM_SAMPLES),
        st.lists(st.integers(-NUM_SAMPLES, NUM_SAMPLES - 1)).map(lambda places: np.array(places, int)),
        st.lists(st.booleans(), min_size=NUM_SAMPLES, max_size=NUM_SAMPLES).map(np.array),
    )
)
def test_rows_are_taken_as_numpy_takes_them(rows: Any) -> None:
    computed = Computed(X, lambda batch: batch + np.float32(1), X.shape, np.float32)
    assert np.array_equal(computed[rows], (X + np.float32(1))[rows])


class CountedRows(Rows):
    """X, counting how often each row is read."""

    def __init__(self) -> None:
        super().__init__(X.shape, X.dtype)
        self.reads = np.zeros(len(X), int)

    def read(self, start: int, stop: int) -> Array:
        self.reads[start:stop] += 1
        return X[start:stop]


@given(num_rows=st.integers(1, NUM_SAMPLES + 5), size=st.integers(1, NUM_SAMPLES))
def test_batches_of_rows_in_blocks_read_each_block_once(num_rows: int, size: int) -> None:
    source = CountedRows()
    in_blocks = InBlocks(source, num_rows)
    for start in range(0, NUM_SAMPLES, size):
        assert np.array_equal(in_blocks[start : start + size], X[start : start + size])
    assert (source.reads == 1).all()
    assert in_blocks[3:3].shape == (0, *X.shape[1:])


def test_rows_in_blocks_are_not_those_that_are_kept() -> None:
    in_blocks = InBlocks(CountedRows(), 7)
    in_blocks[0:3][:] = 0
    assert np.array_equal(in_blocks[0:3], X[:3])


def test_a_block_takes_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kgenn.ir.rows.MAX_BLOCK", 4 * X[0].nbytes)
    source = CountedRows()
    assert np.array_equal(InBlocks(source, NUM_SAMPLES)[9:11], X[9:11])
    assert source.reads.tolist() == [0] * 8 + [1] * 4 + [0] * (NUM_SAMPLES - 12)


@pytest.mark.usefixtures("small_memory")
def test_each_chunk_of_a_file_is_unpacked_once_for_all_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_hdf5(tmp_path / "data.h5", chunks=(16, 5, 3), compression="gzip")
    found, seen = load_data(tmp_path / "data.h5").x, list[int]()

    def watched(dataset: h5py.Dataset, start: int, stop: int) -> str:
        seen.append(start)
        return problem_of_chunks(dataset, start, stop)

    monkeypatch.setattr("kgenn.ir.data_file.problem_of_chunks", watched)
    for start in range(0, NUM_SAMPLES, 3):
        assert np.array_equal(found[start : start + 3], X[start : start + 3])
    assert seen == [0, 16, 32]


def test_rows_outside_are_refused() -> None:
    computed = Computed(X, lambda batch: batch, X.shape, X.dtype)
    for outside in (NUM_SAMPLES, -NUM_SAMPLES - 1, np.array([0, NUM_SAMPLES])):
        with pytest.raises(IndexError):
            computed[outside]


def external_link(file: h5py.File, folder: Path) -> None:
    with h5py.File(folder / "other.h5", "w") as other:
        other["x"] = X
    file["x"] = h5py.ExternalLink(str(folder / "other.h5"), "x")


def virtual(file: h5py.File, folder: Path) -> None:
    with h5py.File(folder / "other.h5", "w") as other:
        other["x"] = X
    layout = h5py.VirtualLayout(X.shape, X.dtype)
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "x", X.shape)
    file.create_virtual_dataset("x", layout)


ODD: dict[str, Callable[[h5py.File, Path], object]] = {
    "a link to another file": external_link,
    "a virtual dataset": virtual,
    "values in another file": lambda file, folder: file.create_dataset(
        "x", X.shape, X.dtype, external=[(str(folder / "raw"), 0, h5py.h5f.UNLIMITED)]
    ),
    "no values": lambda file, folder: file.create_dataset("x", (1 << 40, 3), "f8", chunks=(1024, 3)),
    "an empty dataset": lambda file, folder: file.create_dataset("x", data=h5py.Empty("f4")),
    "texts": lambda file, folder: file.create_dataset("x", data=["a", "b"]),
    "several fields": lambda file, folder: file.create_dataset("x", data=np.zeros(3, [("a", "f4")])),
    "another compression": lambda file, folder: file.create_dataset("x", data=X, compression="lzf"),
    "a group": lambda file, folder: file.create_group("x"),
}


@pytest.mark.parametrize("kind", ODD)
def test_datasets_that_are_no_samples_are_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "data.h5"
    with h5py.File(path, "w") as file:
        ODD[kind](file, tmp_path)
    with pytest.raises(KgennError, match=r"KG60[12]") as caught:
        load_data(path).prepared({"image": (5, 3)}, Fraction(1), str(path))
    assert str(path) in str(caught.value)


@pytest.mark.usefixtures("small_memory")
def test_a_chunk_that_unpacks_to_more_than_its_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.h5"
    with h5py.File(path, "w") as file:
        made = file.create_dataset("x", X.shape, X.dtype, chunks=X.shape, compression="gzip")
        made.id.write_direct_chunk((0, 0, 0), zlib.compress(bytes(X.size * 1000)))
    with pytest.raises(KgennError, match=r"KG601.*unpacks to more"):
        np.asarray(load_data(path).x)


@pytest.mark.slow
@settings(max_examples=300)
@given(position=st.integers(0, 20_000), value=st.integers(0, 255))
def test_an_hdf5_file_with_any_byte_changed_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, position: int, value: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "changed.h5"
    write_hdf5(path, chunks=(7, 5, 3), compression="gzip")
    content = bytearray(path.read_bytes())
    content[position % len(content)] = value
    path.write_bytes(content)
    with suppress(KgennError):
        np.asarray(load_data(path).x)


def test_what_is_read_outlives_the_open_file(path: Path) -> None:
    with stored_arrays(path) as file:
        rows = file["x"].rows()
    assert np.array_equal(np.asarray(rows), X)
