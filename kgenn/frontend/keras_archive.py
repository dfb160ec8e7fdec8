"""Read .keras archives: a zip file with config.json and model.weights.h5.

Inside model.weights.h5 a layer's arrays are `vars/0`, `vars/1` … below a path of containers. A container's
members are keyed by their class in snake case and a counter, not by their names: `layers/conv2d`,
`layers/conv2d_1`. Nested models are containers within.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from math import prod
from pathlib import Path as FilePath
from typing import Any

import h5py

from kgenn.diagnostics import fail
from kgenn.frontend.config_text import COPIES, check_memory, parse_config
from kgenn.frontend.hdf5 import OLD_CONTAINER, opened_part, reading, stored_array
from kgenn.frontend.hdf5_texts import Attributes
from kgenn.frontend.input_shape import InputShape
from kgenn.frontend.model_config import ModelEntry, Path, read_model
from kgenn.frontend.topology import Plans, build_graph
from kgenn.ir.archive import opened, sizes, unpack, unpacked
from kgenn.ir.graph import Graph
from kgenn.ir.hdf5_items import inside
from kgenn.layers.weights import StoredArray

MAGIC = b"PK\x03\x04"
_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
# Bytes that compressed weights may unpack to, on disk: SOME (64 MiB) and TIMES those of the layers' weights in
# float32. In float64, with the two copies of the optimizer Adam, they are six times as many.
SOME, TIMES = 1 << 26, 8
# the layers that a layer is made of and keeps its arrays in, in the order of its variables; Keras 2 writes an
# underscore before their names, and Keras 3 for some classes
_DENSES = ("query_dense", "key_dense", "value_dense", "output_dense")
_MEMBERS = dict.fromkeys(("GroupedQueryAttention", "GroupQueryAttention", "MultiHeadAttention"), _DENSES)
# classes that Keras exports under another name than their own, which their arrays are keyed by
_OWN_NAMES = {"GroupQueryAttention": "GroupedQueryAttention"}


def load_archive(path: FilePath, shape: InputShape) -> Graph:
    """Read a whole model from a .keras archive."""
    source = str(path)
    model = read_model(_config(path, source), source)
    with ExitStack() as stack:

        def arrays(plans: Plans) -> Mapping[Path, Sequence[StoredArray]]:
            limit = SOME + TIMES * sum(4 * prod(slot.shape) for slots in plans.values() for slot in slots)
            with reading(source):
                part = stack.enter_context(unpacked(path, _WEIGHTS, limit))
            return container_arrays(*opened_part(stack, part, source), model, plans, source)

        return build_graph(model, source, arrays, shape)


def _config(path: FilePath, source: str) -> Any:
    """Return the config of an archive that has weights too."""
    with reading(source), opened(path) as archive:
        _check_members(archive.namelist(), source)
        size, stored = sizes(archive, _CONFIG)
        stored = min(stored, path.stat().st_size)  # an archive may say anything
        check_memory(COPIES * size, stored, source)
        return parse_config(unpack(archive, _CONFIG).decode("utf8"), source, stored)


def _check_members(names: list[str], source: str) -> None:
    """Raise KG102 where an archive has no config, or no weights in one piece."""
    if _CONFIG not in names:
        raise fail("KG102", source, "is a zip file without a Keras model", "give a file that model.save() wrote")
    if _WEIGHTS not in names:
        others = sorted(n for n in names if n.startswith("model.weights"))
        found = f"its weights are in {', '.join(others)}" if others else "it holds no weights"
        remedy = "save it in one piece: model.save('model.keras')"
        raise fail("KG102", source, f"lacks {_WEIGHTS}; {found}", remedy)


def container_arrays(
    file: h5py.File, attributes: Attributes, model: ModelEntry, plans: Plans, source: str
) -> Mapping[Path, Sequence[StoredArray]]:
    """Find the arrays of every layer."""
    with reading(source):
        groups = _groups(file)
    root = OLD_CONTAINER if any(key.startswith(f"{OLD_CONTAINER}/") for key in groups) else "layers"
    found: dict[Path, Sequence[StoredArray]] = dict.fromkeys(plans, ())
    for path, class_name, key in _keys(model, (), root):
        group = groups.get(key)
        if group is None:
            continue
        with reading(source):
            name, stored = attributes.get(group, "name", path[-1]), _variables(group, f"{key}/vars")
        if not isinstance(name, str) or name != path[-1]:
            what = f"finds the arrays of {name!r} under its key {key!r}"
            raise fail("KG106", f"{source}: {'/'.join(path)} ({class_name})", what, "save the model again")
        members = [f"{key}/{mark}{member}" for member in _MEMBERS.get(class_name, ()) for mark in ("", "_")]
        with reading(source):
            inner = [_variables(groups[m], f"{m}/vars") for m in members if m in groups]
        found[path] = [*stored, *(array for arrays in inner for array in arrays)]
    return found


def _variables(group: h5py.Group, key: str) -> list[StoredArray]:
    """Return the arrays "0", "1" … of a group."""
    stored: list[StoredArray] = []
    while isinstance(dataset := inside(group, str(len(stored))), h5py.Dataset):
        stored.append(stored_array(f"{key}/{len(stored)}", dataset))
    return stored


def _groups(file: h5py.File) -> dict[str, Any]:
    """Return every group of variables by its path; Keras on Windows wrote some with backslashes."""
    groups: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:
        head, _, last = name.replace("\\", "/").rpartition("/")
        if last == "vars" and isinstance(item, h5py.Group):
            groups[head] = item

    file.visititems(visit)  # which follows no links
    return groups


def _keys(model: ModelEntry, path: Path, container: str) -> Iterator[tuple[Path, str, str]]:
    """Yield each layer's path, class and key."""
    used: dict[str, int] = {}
    for entry in model.layers:
        if entry.operation:
            continue
        snake = _snake_case(_OWN_NAMES.get(entry.class_name, entry.class_name))
        count = used[snake] = used.get(snake, -1) + 1
        key = f"{container}/{snake}_{count}" if count else f"{container}/{snake}"
        inner = OLD_CONTAINER if container.endswith(OLD_CONTAINER) else "layers"
        if entry.model is None:
            yield (*path, entry.name), entry.class_name, key
        elif entry.wraps and entry.wraps != "model":
            wrapped = entry.model.layers[-1]
            yield (*path, entry.name, wrapped.name), wrapped.class_name, f"{key}/layer"
        else:
            own = f"{key}/layer" if entry.wraps else key
            yield from _keys(entry.model, (*path, entry.name), f"{own}/{inner}")


def _snake_case(name: str) -> str:
    """Write a class name as Keras does: Conv2D is conv2d, LeakyReLU is leaky_re_lu."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
