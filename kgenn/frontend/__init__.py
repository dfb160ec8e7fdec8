"""Read a trained Keras model into a Graph. No Keras is imported, and no code from a model file is run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from kgenn.diagnostics import fail
from kgenn.frontend import hdf5, json_model, keras_archive
from kgenn.frontend.input_shape import GivenShape, InputShape, SampleShapes, agreeing
from kgenn.frontend.live_model import KerasModel, load_model
from kgenn.ir.given import given_path
from kgenn.ir.graph import Graph
from kgenn.ir.hdf5_items import MAGIC as HDF5_MAGIC

__all__ = ["GivenShape", "InputShape", "KerasModel", "SampleShapes", "load", "read"]

# the file's first bytes to its reader
_FORMATS: dict[bytes, Callable[[Path, InputShape], Graph]] = {
    HDF5_MAGIC: hdf5.load_hdf5,
    keras_archive.MAGIC: keras_archive.load_archive,
    json_model.MAGIC: json_model.load_json,
}


def load(source: str | os.PathLike[str] | KerasModel, *, input_shape: GivenShape = None) -> Graph:
    """Read a trained model as a graph.

    No code from the file runs, and Keras need not be installed. The content of the file decides its format, not
    its name.

    Args:
        source: the path of an .h5 file of Keras 2 to 3, of a .keras archive, or of a .json file with a file of
            weights beside it; or a live keras.Model.
        input_shape: shape of one sample, without the batch axis, such as (64, 64, 3). Needed if the model leaves a
            size open, as in (None, None, 3). For several inputs, a mapping from their names.

    Returns:
        The graph. `graph.predict(x)` computes in NumPy what the Keras model computes.

    Raises:
        KgennError: KG1xx if the model cannot be read. Each diagnostic names the file and the layer.
    """
    return read(source, InputShape.of(input_shape))


def read(source: str | os.PathLike[str] | KerasModel | Graph, shape: InputShape) -> Graph:
    """Read a model as `load` does, with an input shape that samples may decide; a graph stays as it is."""
    found: object = source
    if isinstance(found, Graph):
        return agreeing(found, shape)
    if isinstance(found, (str, os.PathLike)):
        return _load_file(given_path(found, "model", "KG101"), shape)
    if isinstance(found, KerasModel):
        return load_model(found, shape)
    what = "is neither a path nor a Keras model"
    raise fail("KG102", type(found).__name__, what, "give an .h5 or .keras file, or a keras.Model")


def _load_file(path: Path, shape: InputShape) -> Graph:
    if path.is_dir():
        raise _folder(path)
    if path.exists() and not path.is_file():
        raise fail("KG102", str(path), "is not a regular file", "give an .h5 or .keras file")
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise fail("KG101", str(path), error.strerror or str(error), "check the path") from None
    for magic, load_format in _FORMATS.items():
        if head.lstrip().startswith(magic):
            return load_format(path, shape)
    what = f"begins with {head!r}, which is neither HDF5 nor a .keras archive" if head else "is empty"
    raise fail("KG102", str(path), what, "give a file that model.save() wrote")


def _folder(path: Path) -> Exception:
    if (path / "keras_metadata.pb").exists():
        remedy = "convert it with the package tf-keras: tf_keras.models.load_model(folder).save('model.h5')"
        return fail("KG104", str(path), "is a SavedModel folder of a Keras model", remedy)
    if any((path / name).exists() for name in ("saved_model.pb", "saved_model.pbtxt")):
        remedy = "save the Keras model where it was made: model.save('model.keras'); a program holds no layers"
        return fail("KG104", str(path), "is a SavedModel folder without a Keras model: it holds a program", remedy)
    remedy = "give an .h5 or .keras file"
    if all((path / name).is_file() for name in ("config.json", "model.weights.h5")):
        remedy = f"it is an unpacked .keras archive: give {path / 'config.json'}"
    return fail("KG102", str(path), "is a folder, not a model file", remedy)
