"""Read a live keras.Model, of whatever Keras, through its config and its layers' weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from kgenn.diagnostics import fail
from kgenn.frontend.config_text import parse_config
from kgenn.frontend.flat_weights import by_name
from kgenn.frontend.input_shape import InputShape
from kgenn.frontend.model_config import ModelEntry, Path, read_model
from kgenn.frontend.topology import Plans, build_graph
from kgenn.ir.graph import Graph
from kgenn.layers.weights import StoredArray


@runtime_checkable
class KerasModel(Protocol):
    """What kgenn uses of a keras.Model."""

    name: str
    layers: Sequence[Any]

    def to_json(self) -> str:
        """Return the model's config."""


def load_model(model: KerasModel, shape: InputShape) -> Graph:
    """Read a live model."""
    source = f"model {model.name!r}"
    try:
        text = model.to_json()
    except (NotImplementedError, TypeError, ValueError) as error:
        what = f"cannot be written as a config: {error}"
        remedy = "build it of Keras' own layers with keras.Model(inputs, outputs)"
        raise fail("KG105", source, what, remedy) from None
    entry = read_model(parse_config(text, source, len(text)), source)

    def arrays(plans: Plans) -> Mapping[Path, Sequence[StoredArray]]:
        found = {path: by_name(plans[path], stored) for path, stored in _arrays(model, entry, ()) if path in plans}
        return dict.fromkeys(plans, ()) | found

    return build_graph(entry, source, arrays, shape)


def _arrays(model: Any, entry: ModelEntry, path: Path) -> Iterator[tuple[Path, list[StoredArray]]]:
    """Yield the arrays of every layer, which Keras returns in the order of creation."""
    live = {layer.name: layer for layer in model.layers}
    for item in entry.layers:
        layer, here = live.get(item.name), (*path, item.name)
        if layer is None:  # the input layer, which a Sequential model does not list
            continue
        inner = layer.layer if item.wraps else layer
        if item.model is not None and item.wraps in ("", "model"):
            yield from _arrays(inner, item.model, here)
        else:
            arrays = zip(inner.weights, inner.get_weights(), strict=True)
            own = here if item.model is None else (*here, item.model.layers[-1].name)
            yield own, [StoredArray(f"{item.name}/{variable.name}", array) for variable, array in arrays]
