"""A damaged file or array is a diagnostic that names the file, the layer and the remedy; nothing else escapes."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from kgenn.diagnostics import KgennError
from kgenn.frontend import load
from model_files import FIXTURES, edit, errors_of, only_error, repack

pytestmark = pytest.mark.quick

# files


def test_a_missing_file(tmp_path):
    only_error(tmp_path / "none.h5", "KG101", "none.h5")


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04 no zip"])
def test_not_a_model(content, tmp_path):
    path = tmp_path / "model.h5"
    path.write_bytes(content)
    only_error(path, "KG102", str(path))


@pytest.mark.parametrize("name", ["residual-2.15.0.h5", "nested-2.15.0.keras", "nested-2.2.4.h5"])
@pytest.mark.parametrize("part", [0.05, 0.3, 0.6, 0.95, 0.999])
def test_a_truncated_file(name, part, tmp_path):
    data = (FIXTURES / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(data[: int(len(data) * part)])
    only_error(path, "KG102", str(path))


@pytest.mark.parametrize("name", ["residual-2.15.0.h5", "shared-2.15.0.keras"])
def test_damage_anywhere_is_a_diagnostic_or_harmless(name, tmp_path):
    data = (FIXTURES / name).read_bytes()
    rng = np.random.default_rng(0)
    for trial in range(60):
        damaged = bytearray(data)
        start = int(rng.integers(8, len(data) - 64))
        damaged[start : start + 32] = rng.bytes(32)
        path = tmp_path / f"{trial}-{name}"
        path.write_bytes(bytes(damaged))
        found = ()
        try:
            load(path)
        except KgennError as error:
            found = error.diagnostics
        assert all(str(path) in diagnostic.where for diagnostic in found)


def test_weights_without_an_architecture(h5):
    with h5py.File(h5, "r+") as file:
        del file.attrs["model_config"]
        for key, value in file["model_weights"].attrs.items():
            file.attrs[key] = value
    only_error(h5, "KG103", "residual.h5")


def test_weights_of_an_archive_alone(archive, tmp_path):
    with zipfile.ZipFile(archive) as old:
        (tmp_path / "model.weights.h5").write_bytes(old.read("model.weights.h5"))
    only_error(tmp_path / "model.weights.h5", "KG103", "model.weights.h5")


def test_another_hdf5_file(tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"] = np.zeros(3)
    only_error(tmp_path / "data.h5", "KG102", "data.h5")


@pytest.mark.parametrize(("marker", "code"), [("saved_model.pb", "KG104"), ("notes.txt", "KG102")])
def test_a_folder(marker, code, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / marker).touch()
    only_error(tmp_path / "model", code, "model")


def test_an_archive_without_a_config(archive):
    only_error(repack(archive, config_json=None), "KG102", "nested.keras")


def test_an_archive_whose_weights_are_in_several_files(archive):
    path = repack(archive, model_weights_h5=None, model_weights_json=b"{}")
    only_error(path, "KG102", "nested.keras", "model.weights.json")


def test_an_archive_without_weights(archive):
    only_error(repack(archive, model_weights_h5=None), "KG102", "nested.keras", "no weights")


@pytest.mark.parametrize("config", [b"{", b"[]", b'{"class_name": 3}', b"\xff"])
def test_an_archive_with_a_malformed_config(config, archive):
    only_error(repack(archive, config_json=config), "KG102", "nested.keras")


def test_an_object_that_is_no_model():
    only_error(3, "KG102", "int")


def test_the_theano_backend(h5):
    with h5py.File(h5, "r+") as file:
        file.attrs["backend"] = b"theano"
    only_error(h5, "KG102", "residual.h5", "Theano")


# arrays


def test_a_missing_array(h5):
    with h5py.File(h5, "r+") as file:
        group = file["model_weights/conv2d_3"]
        group.attrs["weight_names"] = group.attrs["weight_names"][:1]
    only_error(h5, "KG106", "residual.h5", "conv2d_3 (Conv2D)", "'bias'", "(4,)")


def test_a_missing_dataset(h5):
    with h5py.File(h5, "r+") as file:
        del file["model_weights/conv2d_3/conv2d_3/bias:0"]
    only_error(h5, "KG106", "residual.h5", "conv2d_3 (Conv2D)", "conv2d_3/bias:0")


def test_a_misshapen_array_and_another_layers_are_reported_together(h5):
    with h5py.File(h5, "r+") as file:
        for name in ("conv2d_3/conv2d_3/bias:0", "dense_2/dense_2/kernel:0"):
            del file["model_weights"][name]
            file["model_weights"][name] = np.zeros((3, 3), np.float32)
    first, second = errors_of(h5)
    assert (first.code, second.code) == ("KG106", "KG106")
    assert "conv2d_3 (Conv2D)" in first.where
    assert "(3, 3)" in first.what
    assert "dense_2 (Dense)" in second.where


def test_an_array_too_many(h5):
    edit(h5, lambda config, layers: layers["conv2d_3"]["config"].update(use_bias=False))
    only_error(h5, "KG106", "conv2d_3 (Conv2D)", "conv2d_3/bias:0")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite(value, h5):
    with h5py.File(h5, "r+") as file:
        file["model_weights/dense_2/dense_2/bias:0"][1] = value
    only_error(h5, "KG106", "residual.h5", "dense_2 (Dense)", "not finite")


@pytest.mark.parametrize("array", [np.zeros(3, np.complex64), np.array([b"a", b"b", b"c"])])
def test_arrays_that_are_not_real_numbers(array, h5):
    with h5py.File(h5, "r+") as file:
        del file["model_weights/dense_2/dense_2/bias:0"]
        file["model_weights/dense_2/dense_2/bias:0"] = array
    only_error(h5, "KG106", "dense_2 (Dense)", "real numbers")


@pytest.mark.parametrize("kind", ["external", "soft"])
def test_links_out_of_the_file_are_not_followed(kind, h5, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["bias"] = np.zeros(3, np.float32)
    with h5py.File(h5, "r+") as file:
        del file["model_weights/dense_2/dense_2/bias:0"]
        link = h5py.ExternalLink("other.h5", "bias") if kind == "external" else h5py.SoftLink("/elsewhere")
        file["model_weights/dense_2/dense_2/bias:0"] = link
    only_error(h5, "KG106", "dense_2 (Dense)", "dense_2/bias:0")


def test_arrays_of_a_nested_model_in_an_unknown_order(tmp_path):
    path = Path(shutil.copy(FIXTURES / "nested-2.15.0.h5", tmp_path / "nested.h5"))
    with h5py.File(path, "r+") as file:
        names = file["model_weights/inner"].attrs["weight_names"]
        file["model_weights/inner"].attrs["weight_names"] = names[::-1]
    only_error(path, "KG106", "nested.h5", "inner (Functional)", "order")


def test_too_few_arrays_of_a_nested_model(tmp_path):
    path = Path(shutil.copy(FIXTURES / "nested-2.15.0.h5", tmp_path / "nested.h5"))
    with h5py.File(path, "r+") as file:
        names = file["model_weights/inner"].attrs["weight_names"]
        file["model_weights/inner"].attrs["weight_names"] = names[:-1]
    only_error(path, "KG106", "nested.h5", "inner (Functional)", "10", "11")


def test_an_array_without_values_is_no_array_of_zeros(h5):
    with h5py.File(h5, "r+") as file:
        del file["model_weights/dense_2/dense_2/bias:0"]
        file["model_weights"].create_dataset("dense_2/dense_2/bias:0", (3,), "f4")
    only_error(h5, "KG106", "residual.h5", "dense_2 (Dense)", "no values in the file")


def test_chunks_without_values_are_no_zeros(h5):
    with h5py.File(h5, "r+") as file:
        kernel = file["model_weights/dense_2/dense_2/kernel:0"][()]
        del file["model_weights/dense_2/dense_2/kernel:0"]
        chunked = file["model_weights"].create_dataset(
            "dense_2/dense_2/kernel:0", kernel.shape, "f4", chunks=(2, 3)
        )
        chunked[:2] = kernel[:2]
    only_error(h5, "KG106", "residual.h5", "dense_2 (Dense)", "no values in the file")


@pytest.mark.parametrize("options", [{"chunks": (5, 2)}, {"compression": "gzip", "shuffle": True}])
def test_arrays_in_chunks_are_read(options, h5):
    expected = load(h5).by_name["dense_2"].layer.kernel
    with h5py.File(h5, "r+") as file:
        kernel = file["model_weights/dense_2/dense_2/kernel:0"][()]
        del file["model_weights/dense_2/dense_2/kernel:0"]
        file["model_weights"].create_dataset("dense_2/dense_2/kernel:0", data=kernel, **options)
    found = load(h5).by_name["dense_2"].layer.kernel
    assert np.array_equal(found, expected)


def test_a_compressed_chunk_that_is_damaged_is_an_array_that_is_missing(h5):
    with h5py.File(h5, "r+") as file:
        kernel = file["model_weights/dense_2/dense_2/kernel:0"][()]
        del file["model_weights/dense_2/dense_2/kernel:0"]
        made = file["model_weights"].create_dataset(
            "dense_2/dense_2/kernel:0", data=kernel, chunks=kernel.shape, compression="gzip"
        )
        made.id.write_direct_chunk((0, 0), b"no deflated bytes")
    only_error(h5, "KG106", "residual.h5", "dense_2 (Dense)", "has a chunk that is damaged")


def test_arrays_that_another_filter_compresses_are_refused(h5):
    with h5py.File(h5, "r+") as file:
        kernel = file["model_weights/dense_2/dense_2/kernel:0"][()]
        del file["model_weights/dense_2/dense_2/kernel:0"]
        file["model_weights"].create_dataset("dense_2/dense_2/kernel:0", data=kernel, compression="lzf")
    only_error(h5, "KG106", "residual.h5", "dense_2 (Dense)", "gzip")


def test_a_config_that_is_split_over_attributes_is_read(h5):
    expected = load(h5)
    with h5py.File(h5, "r+") as file:
        text = file.attrs["model_config"]
        del file.attrs["model_config"]
        for part in range(3):
            file.attrs[f"model_config{part}"] = text[part * 2000 : (part + 1) * 2000 if part < 2 else None]
    assert [node.name for node in load(h5).nodes] == [node.name for node in expected.nodes]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "model.h5")
    with pytest.raises(KgennError, match=r"KG102.*is not a regular file"):
        load(tmp_path / "model.h5")
