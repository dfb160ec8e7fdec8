"""Read .h5 files: the whole model as Keras 2 and the legacy format of Keras 3 write it.

The group `model_weights` holds one group for each layer of the outermost model; its attribute `weight_names`
lists the arrays in order. Those of a nested model stand in one flat list (see flat_weights).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path as FilePath
from typing import Any

import h5py

from kgenn.diagnostics import fail
from kgenn.frontend.config_text import parse_config
from kgenn.frontend.flat_weights import by_name, split
from kgenn.frontend.hdf5_texts import Attributes
from kgenn.frontend.input_shape import InputShape
from kgenn.frontend.model_config import ModelEntry, Path, named, read_model
from kgenn.frontend.topology import Plans, build_graph
from kgenn.ir.file_part import FilePart
from kgenn.ir.graph import Graph
from kgenn.ir.hdf5_items import DAMAGE, inside, problem_of, problem_of_chunks
from kgenn.layers.weights import StoredArray

# what some releases between Keras 2.12 and 3.0 call the outermost container of `layers` in a .weights.h5
OLD_CONTAINER = "_layer_checkpoint_dependencies"
_ARCHITECTURE = (
    "save the whole model: model.save('model.keras'); or write model.to_json() into a .json file of the same name "
    "beside it, and give that"
)


@contextmanager
def reading(source: str) -> Iterator[None]:
    """Turn what h5py raises on a damaged file into a diagnostic."""
    try:
        yield
    except DAMAGE as error:
        what = f"is damaged or cut off: {error}"
        raise fail("KG102", source, what, "copy or save the file again") from None


def load_hdf5(path: FilePath, shape: InputShape) -> Graph:
    """Read a whole model from an .h5 file."""
    source = str(path)
    with ExitStack() as stack:
        bare = stack.enter_context(path.open("rb"))
        file, attributes = opened_part(stack, FilePart(bare, 0, path.stat().st_size), source)
        with reading(source):
            config = _model_config(file, attributes, source)
        model = read_model(config, source)

        def arrays(plans: Plans) -> Mapping[Path, Sequence[StoredArray]]:
            return legacy_arrays(file, attributes, "model_weights", model, plans, source)

        return build_graph(model, source, arrays, shape)


def opened_part(stack: ExitStack, part: FilePart, source: str) -> tuple[h5py.File, Attributes]:
    """Open an HDF5 file until the stack is closed."""
    with reading(source):
        return stack.enter_context(h5py.File(part, "r")), Attributes(part)


def _model_config(file: h5py.File, attributes: Attributes, source: str) -> Any:
    """Return the config that the file holds beside the weights."""
    text = "".join(names_in(attributes, file, "model_config"))
    if not text:
        if weights_format(file) is not None:
            what = "holds weights without the model's architecture"
            raise fail("KG103", source, what, _ARCHITECTURE)
        raise fail("KG102", source, "is an HDF5 file without a Keras model", "give a file that model.save() wrote")
    if _text(attributes.get(file, "backend", "")) == "theano":
        what = "was written by Keras on Theano, which stores kernels mirrored"
        raise fail("KG102", source, what, "load and save it in Keras on TensorFlow")
    return named(parse_config(text, source, len(text)), names_of_layers(attributes, inside(file, "model_weights")))


def weights_format(file: h5py.File) -> str | None:
    """Return how a file stores weights: "whole" beside a model, "legacy" alone, in "containers"; or None."""
    if isinstance(inside(file, "model_weights"), h5py.Group):
        return "whole"
    if "layer_names" in file.attrs or "layer_names0" in file.attrs:
        return "legacy"
    found = file.visit(lambda name: name if name.replace("\\", "/").rpartition("/")[2] == "vars" else None)
    return "containers" if found else None


def names_of_layers(attributes: Attributes, group: Any) -> list[str]:
    """Return the names of the outermost model's layers, in order."""
    return names_in(attributes, group, "layer_names") if isinstance(group, h5py.Group) else []


def _text(value: Any) -> str:
    return value.decode("utf8", "replace") if isinstance(value, bytes) else str(value)


def names_in(attributes: Attributes, group: h5py.Group, key: str) -> list[str]:
    """Return a text or a list of texts, split into key0, key1 … where it is too long for one attribute."""
    keys = [key] if key in group.attrs else [f"{key}{i}" for i in range(len(group.attrs))]
    found = [attributes.get(group, each) for each in keys if each in group.attrs]
    parts = [[value] if isinstance(value, str | bytes) else value for value in found]
    return [_text(text) for part in parts for text in part]


def legacy_arrays(
    file: h5py.File, attributes: Attributes, root: str, model: ModelEntry, plans: Plans, source: str
) -> Mapping[Path, Sequence[StoredArray]]:
    """Find the arrays of every layer in the legacy format, whose groups stand below `root`."""
    found: dict[Path, Sequence[StoredArray]] = dict.fromkeys(plans, ())
    for entry in model.layers:
        with reading(source):
            where = f"{source}: {entry.name} ({entry.class_name})"
            stored = _stored(file, attributes, f"{root}/{entry.name}".lstrip("/"), where)
        if entry.model is None:
            found[(entry.name,)] = by_name(plans.get((entry.name,), ()), stored)
        else:
            found.update(split(entry, entry.model, stored, plans, source))
    return found


def _stored(file: h5py.File, attributes: Attributes, key: str, where: str) -> list[StoredArray]:
    """Return the arrays of a layer of the outermost model, in order."""
    group = inside(file, key)
    stored = []
    for name in names_in(attributes, group, "weight_names") if isinstance(group, h5py.Group) else ():
        dataset = inside(group, name)
        if not isinstance(dataset, h5py.Dataset):
            raise fail("KG106", where, f"lists the array {name!r}, which the file does not hold", "save it again")
        stored.append(stored_array(name, dataset))
    return stored


def stored_array(name: str, dataset: h5py.Dataset) -> StoredArray:
    """Return an array of a file, with what keeps its values from being read.

    Raises:
        OSError, RuntimeError, ValueError: where the file is damaged.
    """
    problem = ""
    if dataset.size:
        problem = problem_of(dataset) or problem_of_chunks(dataset, 0, dataset.shape[0] if dataset.shape else 0)
    return StoredArray(name, dataset, problem)
