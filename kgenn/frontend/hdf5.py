"""Read .h5 files: the whole model as Keras 2 and the legacy format of Keras 3 write it.

The group `model_weights` holds one group for each layer of the outermost model; its attribute `weight_names`
lists the arrays in order. Those of a nested model stand in one flat list (see flat_weights).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from math import prod
from pathlib import Path as FilePath
from typing import Any

import h5py

from kgenn.diagnostics import fail
from kgenn.frontend.config_text import parse_config
from kgenn.frontend.flat_weights import split
from kgenn.frontend.hdf5_texts import Attributes
from kgenn.frontend.model_config import ModelEntry, Path, read_model
from kgenn.frontend.topology import Plans, build_graph
from kgenn.ir.graph import Graph
from kgenn.layers.weights import StoredArray

# Bytes of a chunk in which a dataset is stored (256 MiB), which is unpacked whole; Keras stores no chunks.
LARGEST_CHUNK = 1 << 28
# what some releases between Keras 2.12 and 3.0 call the outermost container of `layers` in a .weights.h5
OLD_CONTAINER = "_layer_checkpoint_dependencies"


@contextmanager
def reading(source: str) -> Iterator[None]:
    """Turn what h5py raises on a damaged file, which depends on where the damage is, into a diagnostic."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError) as error:
        what = f"is damaged or cut off: {error}"
        raise fail("KG102", source, what, "copy or save the file again") from None


def load_hdf5(path: FilePath) -> Graph:
    """Read a whole model from an .h5 file."""
    source = path.name
    with ExitStack() as stack:
        with reading(source):
            bare = stack.enter_context(path.open("rb"))
            content = stack.enter_context(mmap.mmap(bare.fileno(), 0, access=mmap.ACCESS_READ))
            attributes = Attributes(content)
            file = stack.enter_context(h5py.File(path, "r"))
            config = _model_config(file, attributes, source)
        model = read_model(config, source)
        return build_graph(model, source, lambda plans: _arrays(file, attributes, model, plans, source))


def _model_config(file: h5py.File, attributes: Attributes, source: str) -> Any:
    """Return the config that the file holds beside the weights."""
    if "model_config" not in file.attrs:
        # `layer_names` in the legacy format, containers in that of .weights.h5
        if "layer_names" in file.attrs or any(key in file for key in ("layers", OLD_CONTAINER)):
            what = "holds weights without the model's architecture"
            raise fail("KG103", source, what, "save the whole model: model.save('model.keras')")
        raise fail("KG102", source, "is an HDF5 file without a Keras model", "give a file that model.save() wrote")
    if _text(attributes.get(file, "backend", "")) == "theano":
        what = "was written by Keras on Theano, which stores kernels mirrored"
        raise fail("KG102", source, what, "load and save it in Keras on TensorFlow")
    return parse_config(_text(attributes.get(file, "model_config")), source)


def _text(value: Any) -> str:
    return value.decode("utf8", "replace") if isinstance(value, bytes) else str(value)


def names_in(attributes: Attributes, group: h5py.Group, key: str) -> list[str]:
    """Return a list of names, which Keras splits into key0, key1 … where it is too long for one attribute."""
    if key in group.attrs:
        return [_text(name) for name in attributes.get(group, key)]
    names: list[str] = []
    for chunk in range(len(group.attrs)):
        if f"{key}{chunk}" in group.attrs:
            names.extend(_text(name) for name in attributes.get(group, f"{key}{chunk}"))
    return names


def inside(group: h5py.Group, path: str) -> Any:
    """Return an object of the same file, or None; links are not followed, lest they lead to other files."""
    item: Any = group
    for part in path.split("/"):
        if not isinstance(item, h5py.Group) or not isinstance(item.get(part, getlink=True), h5py.HardLink):
            return None
        item = item[part]
    if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual or not _fits(item)):
        return None
    return item


def _fits(dataset: h5py.Dataset) -> bool:
    """Tell whether a dataset is stored in no chunks, or in chunks that can be unpacked."""
    return dataset.chunks is None or prod(dataset.chunks) * dataset.dtype.itemsize <= LARGEST_CHUNK


def _arrays(
    file: h5py.File, attributes: Attributes, model: ModelEntry, plans: Plans, source: str
) -> Mapping[Path, Sequence[StoredArray]]:
    """Find the arrays of every layer."""
    found: dict[Path, Sequence[StoredArray]] = dict.fromkeys(plans, ())
    for entry in model.layers:
        with reading(source):
            stored = _stored(file, attributes, entry.name, f"{source}: {entry.name} ({entry.class_name})")
        if entry.model is None:
            found[(entry.name,)] = stored
        else:
            found.update(split(entry, entry.model, stored, plans, source))
    return found


def _stored(file: h5py.File, attributes: Attributes, layer: str, where: str) -> list[StoredArray]:
    """Return the arrays of a layer of the outermost model, in order."""
    group = inside(file, f"model_weights/{layer}")
    stored = []
    for name in names_in(attributes, group, "weight_names") if isinstance(group, h5py.Group) else ():
        dataset = inside(group, name)
        if not isinstance(dataset, h5py.Dataset):
            raise fail("KG106", where, f"lists the array {name!r}, which the file does not hold", "save it again")
        stored.append(StoredArray(name, dataset))
    return stored
