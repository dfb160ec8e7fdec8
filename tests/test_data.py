"""Data files: what is read, and one clear error for everything that is not."""

from __future__ import annotations

import io
import zipfile
from contextlib import suppress
from fractions import Fraction
from numbers import Rational
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgenn.data.load import SCALE, Data, load_data, parse_scale, prepare
from kgenn.diagnostics import KgennError
from kgenn.tasks.classes import check_labels

pytestmark = pytest.mark.quick

X, Y = np.arange(24.0).reshape(4, 3, 2), np.array([2, 0, 1, 2])


def refused(code: str) -> pytest.RaisesExc[KgennError]:
    return pytest.raises(KgennError, match=f"^error.{code}.")


def test_x_and_y_are_read_as_stored(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=X, y=Y)
    data = load_data(tmp_path / "d.npz")
    assert data.x.dtype == X.dtype
    assert np.array_equal(data.x, X)
    assert data.y is not None
    assert np.array_equal(data.y, Y)


def test_labels_may_be_missing(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=X)
    assert load_data(tmp_path / "d.npz").y is None


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_layout_of_keras_datasets_is_read_by_split(tmp_path: Path, split: str) -> None:
    np.savez_compressed(tmp_path / "d.npz", x_train=X, y_train=Y, x_test=X[:2] + 1, y_test=Y[:2])
    data = load_data(tmp_path / "d.npz", split)
    assert np.array_equal(data.x, X if split == "train" else X[:2] + 1)
    with refused("KG601") as caught:
        load_data(tmp_path / "d.npz")
    assert "--split test" in str(caught.value)


def test_a_split_of_a_plain_file_is_the_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=X, y=Y)
    assert np.array_equal(load_data(tmp_path / "d.npz", "test").x, X)


@pytest.mark.parametrize("y", [Y[:, None], np.eye(3)[Y], Y.astype(np.float32), Y.astype(np.uint8)])
def test_columns_one_hot_rows_and_whole_floats_are_class_indices(tmp_path: Path, y: np.ndarray) -> None:
    np.savez(tmp_path / "d.npz", x=X, y=y)
    read = load_data(tmp_path / "d.npz").y
    assert read is not None
    assert np.array_equal(read, y)
    assert np.array_equal(check_labels(read, 4, 3), Y)


ODD_LABELS = [Y[:3], Y + 0.5, np.full(4, np.nan), np.array(["a", "b", "c", "d"]), np.zeros((4, 2, 2)), np.array(1)]


@pytest.mark.parametrize("y", [*ODD_LABELS, Y * 1j])
def test_labels_that_are_no_class_indices_are_refused(y: np.ndarray) -> None:
    with refused("KG607"):
        check_labels(y, 4, 3)


@pytest.mark.parametrize("y", [Y[:3], np.array(["a", "b", "c", "d"]), np.array(1), Y * 1j])
def test_labels_that_are_no_numbers_or_not_one_for_each_sample_are_not_read(tmp_path: Path, y: np.ndarray) -> None:
    np.savez(tmp_path / "d.npz", x=X, y=y)
    with refused("KG607"):
        load_data(tmp_path / "d.npz")


@pytest.mark.parametrize("y", [Y + 1, Y - 1])
def test_labels_outside_the_classes_are_refused(y: np.ndarray) -> None:
    with refused("KG607"):
        check_labels(y, 4, 3)


def test_one_hot_rows_have_the_networks_classes() -> None:
    with pytest.raises(KgennError, match=r"KG607.*one-hot rows of 4 classes; the network has 3"):
        check_labels(np.eye(4)[Y], 4, 3)


def test_a_label_that_is_no_class_index_is_shown() -> None:
    with pytest.raises(KgennError, match=r"KG607.*of which 0.5 is not a class index"):
        check_labels(np.array([0, 1, 0.5, 2]), 4, 3)


def npz_with(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def array_file() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, X)
    return buffer.getvalue()


def other_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("readme.txt", "hello")
    return buffer.getvalue()


BROKEN = {
    "empty": b"",
    "text": b"hello\n",
    "no arrays": npz_with(),
    "other arrays": npz_with(images=X),
    "a single array": array_file(),
    "another archive": other_zip(),
    "cut off": npz_with(x=X, y=Y)[:-40],
    "damaged": npz_with(x=X, y=Y)[:60] + b"\xff" * 40 + npz_with(x=X, y=Y)[100:],
    "pickled objects": npz_with(x=np.array([{}, 1], dtype=object)),
    "a single number": npz_with(x=np.array(3.0)),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_holds_no_samples_is_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "d.npz").write_bytes(BROKEN[kind])
    with refused("KG601") as caught:
        load_data(tmp_path / "d.npz")
    assert str(tmp_path / "d.npz") in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.npz", tmp_path):
        with refused("KG601"):
            load_data(path)


@settings(max_examples=300)
@given(position=st.integers(0, 1000), value=st.integers(0, 255))
def test_a_file_with_any_byte_changed_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, position: int, value: int
) -> None:
    content = bytearray(npz_with(x=X, y=Y))
    content[position % len(content)] = value
    path = tmp_path_factory.getbasetemp() / "changed.npz"
    path.write_bytes(content)
    with suppress(KgennError):
        load_data(path)


def test_a_limit_takes_the_first_samples_and_their_labels() -> None:
    data = Data(X, Y).limited(2)
    assert data.y is not None
    assert (len(data.x), len(data.y)) == (2, 2)
    assert Data(X, None).limited(9).y is None
    assert Data(X, Y).limited(None).x is X


def test_scaling_uint8_gives_what_dividing_gives() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(256, 1)
    scaled = prepare(pixels, (1,), Fraction(1, 255), "d")
    assert scaled.dtype == np.float32
    assert np.array_equal(scaled, (pixels / 255.0).astype(np.float32))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64])
def test_integers_without_a_scale_are_refused(dtype: type) -> None:
    with refused("KG604") as caught:
        prepare(np.zeros((2, 3), dtype), (3,), None, "d")
    assert "--scale 1/255" in caught.value.diagnostics[0].help
    assert prepare(np.full((2, 3), 7, dtype), (3,), Fraction(1), "d").max() == 7


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.bool_])
def test_real_numbers_need_no_scale(dtype: type) -> None:
    prepared = prepare(np.ones((2, 3), dtype), (3,), None, "d")
    assert prepared.dtype == np.float32
    assert prepared.min() == 1


@pytest.mark.parametrize(
    ("stored", "shape"),
    [
        ((28, 28), (28, 28, 1)),
        ((28, 28), (1, 28, 28)),
        ((1, 28, 28), (28, 28, 1)),
        ((9,), (9, 1)),
        ((9, 1), (1, 9)),
    ],
)
def test_a_channel_axis_of_length_one_is_added_or_moved(stored: tuple[int, ...], shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).random((2, *stored))
    prepared = prepare(x, shape, None, "d")
    assert prepared.shape == (2, *shape)
    assert np.array_equal(prepared.ravel(), x.astype(np.float32).ravel())


@pytest.mark.parametrize(
    ("stored", "shape", "remedy"),
    [
        ((28, 28), (28, 28, 3), "give an array of shape (N, 28, 28, 3)"),
        ((3, 28, 28), (28, 28, 3), "move the channels to the end: numpy.moveaxis(x, 1, -1)"),
        ((784,), (28, 28, 1), "the values are in one row: x.reshape(-1, 28, 28, 1)"),
        ((14, 56), (28, 28, 1), "give an array of shape (N, 28, 28, 1)"),
    ],
)
def test_other_shapes_are_refused_with_what_makes_them_fit(
    stored: tuple[int, ...], shape: tuple[int, ...], remedy: str
) -> None:
    with refused("KG602") as caught:
        prepare(np.zeros((2, *stored)), shape, None, "d")
    assert caught.value.diagnostics[0].help == remedy


@pytest.mark.parametrize("x", [np.zeros((2, 3), complex), np.full((2, 3), "a"), np.full((2, 3), None)])
def test_values_that_are_no_real_numbers_are_refused(x: np.ndarray) -> None:
    with refused("KG602"):
        prepare(x, (3,), None, "d")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1/255", Fraction(1, 255)),
        ("0.5", Fraction(1, 2)),
        ("1", Fraction(1)),
        ("2e-3", Fraction(1, 500)),
        ("1/127.5", Fraction(2, 255)),
        (" 1.5/3 ", Fraction(1, 2)),
    ],
)
def test_scales_are_fractions_or_decimals(text: str, value: Fraction) -> None:
    assert parse_scale(text) == value


@pytest.mark.parametrize("value", [1, np.int64(3), Fraction(1, 255)])
def test_fractions_and_whole_numbers_are_scales(value: Rational) -> None:
    assert parse_scale(value) == value


ODD_SCALES = [
    "",
    "0",
    "-1",
    "1/0",
    "nan",
    "inf",
    "a",
    "1/255/2",
    "1/0.0",
    "/2",
    f"1{'0' * 300}",
    f"1{'0' * 299}e9",
]


@pytest.mark.parametrize("given", [*ODD_SCALES, 0, -1, True, 1 / 255, None, b"1", Fraction(-1, 255), np.ones(2)])
def test_other_scales_are_refused(given: Any) -> None:
    with refused("KG401"):
        parse_scale(given)


@given(st.from_regex(SCALE, fullmatch=True))
@settings(deadline=None, derandomize=True)
def test_the_text_of_a_scale_is_read_as_the_same_scale(text: str) -> None:
    try:
        scale = parse_scale(text)
    except KgennError:  # zero, or too large
        return
    assert parse_scale(str(scale)) == scale
    with np.errstate(over="ignore"):
        expected = np.float32(scale.numerator / scale.denominator)
    assert prepare(np.ones((1, 1), np.uint8), (1,), scale, "d")[0, 0] == expected
