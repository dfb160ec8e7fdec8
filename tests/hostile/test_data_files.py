"""A data set that is made to harm, or not what it should be, is a diagnostic before it is unpacked."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from kgenn.data.load import load_data, parse_scale, prepare
from kgenn.diagnostics import KgennError
from kgenn.events.file import read_events
from kgenn.ir.network_input import InputCoding
from kgenn.ir.npy import Damaged, parse
from kgenn.tasks.classes import check_labels, class_indices

X = np.zeros((4, 3, 2), np.float32)


def npy(array: Any) -> bytes:
    """Return the bytes of an .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def npz(folder: Path, method: int = zipfile.ZIP_DEFLATED, **members: bytes) -> Path:
    """Write an archive of members as they are."""
    path = folder / "data.npz"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def header(text: str) -> bytes:
    """Return an .npy file with any header."""
    line = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(line).to_bytes(2, "little") + line


def refused(path: Path, code: str = "KG601") -> str:
    with pytest.raises(KgennError) as caught:
        load_data(path)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    assert diagnostic.help
    return diagnostic.what


@pytest.mark.parametrize(
    "text",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 60 + ",), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (True,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1, " * 99 + "), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '|V9', 'fortran_order': False, 'shape': (0,), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (0,), }",
        "{'descr': '<m8[s]', 'fortran_order': False, 'shape': (0,), }",
        "-" * 9000 + "1",
        "(" * 3000 + ")" * 3000,
        "__import__('os').system('true')",
        "",
    ],
    ids=range(13),
)
def test_headers_that_lie_are_refused_before_memory_is_taken(tmp_path: Path, text: str) -> None:
    refused(npz(tmp_path, x=header(text)))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_without_bounds_are_refused(tmp_path: Path, method: int) -> None:
    assert "compressed" in refused(npz(tmp_path, method, x=npy(X)))


def test_a_member_that_claims_to_unpack_to_gigabytes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = npz(tmp_path, x=npy(X), y=npy(np.arange(4)))
    assert load_data(path).y is not None
    monkeypatch.setattr("kgenn.ir.data_file.MAX_IN_MEMORY", 50)  # x takes 96 bytes
    monkeypatch.setattr("kgenn.ir.archive.MAX_BYTES", 200)  # 224 with its header
    assert "more than the 200 that kgenn reads" in refused(path)


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = npz(tmp_path, x=npy(X))
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    refused(path)


@pytest.mark.parametrize("cut", range(0, 100, 7))
def test_a_data_set_cut_anywhere_is_refused(tmp_path: Path, cut: int) -> None:
    path = npz(tmp_path, zipfile.ZIP_STORED, x=npy(X), y=npy(np.arange(4)))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * cut // 100])
    refused(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    path = npz(tmp_path, x=npy(X))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x.npy", npy(X + 1))
    assert "two members" in refused(path)


def test_a_member_that_is_no_array_is_no_array(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", b"text")
    assert "no array x" in refused(path)


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, x=np.array([{}, []], object))
    refused(path)


LABELS = [
    np.zeros((4, 0)),
    np.array([0, 1, np.inf, 2]),
    np.array([0, 1, 2**40, 2]),
    np.full(4, -(2**63)),
    np.arange(4).astype("m8[s]"),
    np.full((4, 3), 0.5),
    np.eye(4)[:, :3],
    np.ones((4, 3)),
    np.ones((4, 1, 1)),
    np.full(4, np.nan)[:, None],
]


@pytest.mark.parametrize("y", LABELS, ids=range(len(LABELS)))
def test_labels_that_are_no_classes_are_refused(y: Any) -> None:
    with pytest.raises(KgennError, match="KG607"):
        class_indices(y, 4, "data.npz")


@given(arrays_of.arrays(arrays_of.scalar_dtypes(), arrays_of.array_shapes(min_dims=0, max_dims=2, max_side=4)))
def test_any_labels_are_classes_or_a_diagnostic(y: Any) -> None:
    labels, codes = np.zeros(3, int), ["KG607"]
    try:
        labels = check_labels(y, 3, 4)
    except KgennError as error:
        codes = [d.code for d in error.diagnostics]
    assert codes == ["KG607"]
    assert labels.shape == (3,)
    assert ((labels >= 0) & (labels < 4)).all()


@given(arrays_of.arrays(arrays_of.scalar_dtypes(), st.sampled_from([(2, 3, 2), (0, 3, 2), (2, 3), (2, 6), ()])))
def test_any_samples_are_float32_of_the_shape_or_a_diagnostic(x: Any) -> None:
    x = np.atleast_1d(x)
    ready, codes = np.zeros((len(x), 3, 2), np.float32), ["KG602"]
    try:
        ready = prepare(x, (3, 2), Fraction(1, 255), "data.npz")
    except KgennError as error:
        codes = [d.code for d in error.diagnostics]
    assert codes == ["KG602"]
    assert (ready.dtype, ready.shape) == (np.float32, (len(x), 3, 2))


def test_samples_beyond_float32_are_infinite_without_a_word() -> None:
    x = np.full((1, 3, 2), 1e300)
    assert np.isposinf(prepare(x, (3, 2), None, "data.npz")).all()
    assert np.isneginf(prepare(-x, (3, 2), Fraction(1, 255), "data.npz")).all()


SCALES = ["1e999999999", "1e-999999999", "9" * 5000, "nan", "inf", "1_0", "1/0", "1//2", "-1"]


@pytest.mark.parametrize("text", SCALES, ids=range(len(SCALES)))
def test_scales_that_would_take_forever_are_refused(text: str) -> None:
    with pytest.raises(KgennError, match="KG401"):
        parse_scale(text)


def test_common_scales_are_read() -> None:
    found = [parse_scale(text) for text in ("1/255", "0.5", "1", ".5", "2e-3", " 1 ")]
    assert found == [Fraction(1, 255), Fraction(1, 2), 1, Fraction(1, 2), Fraction(1, 500), 1]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("binarise", [None, 0.5])
def test_samples_that_are_not_finite_are_refused(value: float, binarise: float | None) -> None:
    coding = InputCoding("spike", 1, 0.0, 1.0, binary=True, binarise=binarise)
    with pytest.raises(KgennError, match="KG603"):
        coding.drive(np.array([[0.0, value]]))


@given(st.binary(max_size=200))
def test_any_bytes_are_an_array_or_damaged(content: bytes) -> None:
    for data in (content, b"\x93NUMPY" + content, b"\x93NUMPY\x01\x00" + content):
        with pytest.raises(Damaged):
            parse(data, "x")


TYPES = st.sampled_from(["f4", ">f8", "i1", "?", "c8", "U3", "S2"])


@given(arrays_of.arrays(TYPES, arrays_of.array_shapes(min_dims=0)))
def test_arrays_come_back_as_they_were_saved(array: Any) -> None:
    for layout in (array, np.asfortranarray(array)):
        read = parse(npy(layout), "x")
        assert (read.dtype, read.shape, read.tobytes()) == (array.dtype, layout.shape, array.tobytes())


@pytest.mark.parametrize("read", [load_data, read_events], ids=["data", "events"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, read: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / "d.npz")
    pipe = os.open(tmp_path / "d.npz", os.O_RDWR)
    os.write(pipe, bytes(64))
    with pytest.raises(KgennError, match=r"KG601.*cannot be read: it is not a regular file"):
        read(tmp_path / "d.npz")
    os.close(pipe)
