"""Write and damage small model files, and look at the diagnostics that reading them raises."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import h5py
import pytest

from kgenn.diagnostics import KgennError
from kgenn.frontend import load

FIXTURES = Path(__file__).parents[1] / "fixtures" / "keras2"


def errors_of(source):
    """Return the diagnostics that reading raises."""
    with pytest.raises(KgennError) as caught:
        load(source)
    assert all(d.help for d in caught.value.diagnostics)
    return caught.value.diagnostics


def only_error(source, code, *words):
    """Assert that reading raises one diagnostic, with a code and with words in its place or text."""
    (error,) = errors_of(source)
    assert error.code == code
    for word in words:
        assert word in f"{error.where}: {error.what}"
    return error


def edit(path, change):
    """Change the model config in an .h5 file; `change` gets the config and its layers by name."""
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        change(config, {layer["config"]["name"]: layer for layer in config["config"]["layers"]})
        file.attrs["model_config"] = json.dumps(config)
    return path


def repack(path, **members):
    """Replace or, with None, drop members of an archive; underscores stand for dots in their names."""
    with zipfile.ZipFile(path) as old:
        contents = {name: old.read(name) for name in old.namelist()}
    contents |= {name.replace("_", "."): data for name, data in members.items()}
    with zipfile.ZipFile(path, "w") as new:
        for name, data in contents.items():
            if data is not None:
                new.writestr(name, data)
    return path


def write(path, *layers, class_name="Sequential", **config):
    """Write an .h5 file without weights."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(
            {"class_name": class_name, "config": {"name": "tiny", "layers": list(layers), **config}}
        )
    return path


def layer(class_name, name, inbound=None, **config):
    """Return a layer as Keras 2 writes it."""
    entry = {"class_name": class_name, "name": name, "config": {"name": name, "trainable": True, **config}}
    return entry if inbound is None else {**entry, "inbound_nodes": inbound}


INPUT = layer("InputLayer", "x", [], batch_shape=[None, 4])


def functional(path, *layers, outputs=("y",)):
    """Write a functional model on one input of four values, without weights."""
    refs = [[name, 0, 0] for name in outputs]
    return write(path, INPUT, *layers, class_name="Functional", input_layers=[["x", 0, 0]], output_layers=refs)
