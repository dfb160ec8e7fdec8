"""An architecture in a .json file is read with the weights beside it, in any format; what is missing is named."""

from __future__ import annotations

import io
import json
import shutil
import zipfile

import h5py
import numpy as np
import pytest

from kgenn.frontend import load
from model_files import FIXTURES, only_error

pytestmark = pytest.mark.quick

NAME = "nested-2.15.0"


@pytest.fixture
def architecture(tmp_path):
    """Return a .json file, without weights."""
    path = tmp_path / "model.json"
    with h5py.File(FIXTURES / f"{NAME}.h5") as file:
        path.write_text(file.attrs["model_config"])
    return path


def containers(path):
    with zipfile.ZipFile(FIXTURES / f"{NAME}.keras") as archive:
        path.write_bytes(archive.read("model.weights.h5"))


def whole(path):
    shutil.copy(FIXTURES / f"{NAME}.h5", path)


def legacy(path):
    """Write the weights alone as `save_weights` of Keras 2 does."""
    with h5py.File(FIXTURES / f"{NAME}.h5") as old, h5py.File(path, "w") as new:
        weights = old["model_weights"]
        for key in weights:
            old.copy(weights[key], new)
        new.attrs.update(weights.attrs)


def assert_equal_predictions(graph):
    with np.load(FIXTURES / f"{NAME}.npz") as data:
        np.testing.assert_allclose(graph.predict(data["x0"]), data["y"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["model.weights.h5", "model_weights.h5", "model.h5", "weights.h5"])
@pytest.mark.parametrize("write", [containers, whole, legacy])
def test_the_weights_beside_an_architecture_are_read(write, name, architecture):
    write(architecture.parent / name)
    assert_equal_predictions(load(architecture))


def test_the_folder_of_an_unpacked_archive_leads_to_its_config(tmp_path):
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(FIXTURES / f"{NAME}.keras") as archive:
        archive.extractall(folder)
    assert "unpacked/config.json" in only_error(folder, "KG102", "unpacked").help
    assert_equal_predictions(load(folder / "config.json"))


def test_an_architecture_without_weights_names_the_files_that_were_looked_for(architecture):
    error = only_error(architecture, "KG103", "model.json", "model.weights.h5")
    assert "model.save_weights('model.weights.h5')" in error.help


@pytest.mark.parametrize("write", [containers, legacy])
def test_weights_alone_ask_for_the_architecture(write, tmp_path):
    write(tmp_path / "some.weights.h5")
    assert "model.to_json()" in only_error(tmp_path / "some.weights.h5", "KG103", "some.weights.h5").help


def test_weights_of_a_model_of_any_class_are_weights(tmp_path):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["encoder/dense/vars/0"] = np.zeros((2, 3), np.float32)
    (tmp_path / "subclassed.weights.h5").write_bytes(buffer.getvalue())
    only_error(tmp_path / "subclassed.weights.h5", "KG103", "subclassed.weights.h5")


def test_weights_of_other_layers_are_refused(architecture):
    legacy(architecture.parent / "model.weights.h5")
    with h5py.File(architecture.parent / "model.weights.h5", "r+") as file:
        names = [
            name.replace(b"dense", b"other") for name in np.char.encode(file.attrs["layer_names"].astype(str))
        ]
        file.attrs["layer_names"] = np.array(names)
    only_error(architecture, "KG106", "model.weights.h5", "model.json lacks")


@pytest.mark.parametrize("text", [b"{", b'{"class_name": 3}', b"{\xff}", json.dumps({"a": 1}).encode()])
def test_a_json_file_that_is_no_architecture_is_refused(text, tmp_path):
    (tmp_path / "model.json").write_bytes(text)
    whole(tmp_path / "model.h5")
    only_error(tmp_path / "model.json", "KG102", "model.json")


def test_other_weights_than_hdf5_are_refused(architecture):
    (architecture.parent / "model.weights.h5").write_bytes(b"no weights")
    only_error(architecture, "KG102", "model.weights.h5")
