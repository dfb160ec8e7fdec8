"""Read a model in two files: what `model.to_json()` gives, and the weights beside it.

The weights are those that `model.save_weights()` writes, in either of its formats, or a whole model's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path as FilePath

from kgenn.diagnostics import fail
from kgenn.frontend.config_text import COPIES, check_memory, parse_config
from kgenn.frontend.hdf5 import legacy_arrays, names_of_layers, opened_part, reading, weights_format
from kgenn.frontend.input_shape import InputShape
from kgenn.frontend.keras_archive import container_arrays
from kgenn.frontend.model_config import ModelEntry, Path, named, read_model
from kgenn.frontend.topology import Plans, build_graph
from kgenn.ir.file_part import FilePart
from kgenn.ir.graph import Graph
from kgenn.layers.weights import StoredArray

MAGIC = b"{"
# The name of the weights after that of the JSON file, "model" of "model.json"; the first that is there is read.
_BESIDE = ("{}.weights.h5", "{}_weights.h5", "{}.h5", "{}.hdf5", "model.weights.h5", "weights.h5")


def load_json(path: FilePath, shape: InputShape) -> Graph:
    """Read a model from its JSON text, and from the weights beside it."""
    source, size = str(path), path.stat().st_size
    check_memory(COPIES * size, size, source)
    try:
        config = parse_config(path.read_text(encoding="utf8"), source, size)
    except UnicodeDecodeError as error:
        raise fail("KG102", source, f"is not a text: {error}", "give a file that model.save() wrote") from None
    with ExitStack() as stack:
        weights = _weights_beside(path)
        beside = str(weights)
        with reading(beside):
            bare = stack.enter_context(weights.open("rb"))
            file, attributes = opened_part(stack, FilePart(bare, 0, weights.stat().st_size), beside)
            form = weights_format(file)
            root = "model_weights" if form == "whole" else "/"
            names = names_of_layers(attributes, file[root])
        if form is None:
            raise fail("KG102", beside, "is an HDF5 file without weights", "save them: model.save_weights()")
        model = read_model(named(config, names), source)

        def arrays(plans: Plans) -> Mapping[Path, Sequence[StoredArray]]:
            if form == "containers":
                return container_arrays(file, attributes, model, plans, beside)
            _check_layers(model, names, source, beside)
            return legacy_arrays(file, attributes, root.strip("/"), model, plans, beside)

        return build_graph(model, source, arrays, shape)


def _weights_beside(path: FilePath) -> FilePath:
    """Return the file of a model's weights."""
    names = list(dict.fromkeys(form.format(path.stem) for form in _BESIDE))
    for name in names:
        if (path.parent / name).is_file():
            return path.parent / name
    what = f"holds a model's architecture, but its folder has none of {', '.join(names)}"
    remedy = (
        f"save the weights beside it: model.save_weights({names[0]!r}); or the whole: model.save('model.keras')"
    )
    raise fail("KG103", str(path), what, remedy)


def _check_layers(model: ModelEntry, found: list[str], source: str, weights: str) -> None:
    """Raise KG106 where the weights are of a model with other layers."""
    foreign = sorted(set(found) - {entry.name for entry in model.layers})
    if foreign:
        what = f"holds weights of layers that {source} lacks: {', '.join(foreign)[:200]}"
        raise fail("KG106", weights, what, "give the architecture that the weights were saved from")
