"""How users tell the inputs and outputs of a model apart where it has dictionaries of them.

Keras names what stands in a dictionary by its key, takes and gives it by key, and orders it by key. A list of
arrays is in that order. Where the keys were written in another order, a list is ambiguous: Keras refuses it, and
so does kgenn.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from numpy.typing import NDArray

T = TypeVar("T")
Array = NDArray[Any]
# The entry of a network's origin.
ENTRY = "naming"
FLAGS = ("by_name", "outputs_by_name", "outputs_in_dictionary")


@dataclass(frozen=True)
class Naming:
    """What else there is to the names of a model's inputs and outputs.

    Attributes:
        layers: pairs of the name of an input's Keras layer and its key, where they differ; the layer's name is
            taken too, unless it is the key of another input.
        by_name: whether the inputs are told apart by their names alone.
        outputs_by_name: likewise the outputs.
        outputs_in_dictionary: `predict` returns the outputs by their keys.
        single_values: the outputs that are one value for each sample, without an axis.
    """

    layers: tuple[tuple[str, str], ...] = ()
    by_name: bool = False
    outputs_by_name: bool = False
    outputs_in_dictionary: bool = False
    single_values: tuple[str, ...] = ()

    def of_inputs(self, given: Mapping[str, T], inputs: Collection[str]) -> dict[str, T]:
        """Return values by the names of inputs, where users may have named the layers; what is neither stays."""
        known = {layer: key for layer, key in self.layers if key in inputs and key not in given}
        return {name if name in inputs else known.get(name, name): value for name, value in given.items()}

    def as_predicted(self, values: Mapping[str, Array]) -> Array | tuple[Array, ...] | dict[str, Array]:
        """Return the values of all outputs as `keras.Model.predict` does: one, several or a dictionary."""
        values = {
            n: value.reshape(len(value)) if n in self.single_values else value for n, value in values.items()
        }
        if self.outputs_in_dictionary:
            return dict(values)
        return tuple(values.values()) if len(values) > 1 else next(iter(values.values()))

    def record(self) -> dict[str, Any]:
        """Return what a network's origin keeps of it: an entry, or nothing."""
        if self == ALL_NAMED:
            return {}
        flags = {name: getattr(self, name) for name in FLAGS}
        single = {"single_values": list(self.single_values)} if self.single_values else {}
        return {ENTRY: {"layers": dict(self.layers), **flags, **single}}

    @classmethod
    def recorded(cls, origin: Mapping[str, Any]) -> Naming:
        """Return what the origin of a network keeps.

        Raises:
            ValueError: where it is not what `record` returned.
        """
        entry = origin.get(ENTRY, {})
        entry = entry if isinstance(entry, Mapping) else {"layers": None}
        layers, single = entry.get("layers", {}), entry.get("single_values", [])
        texts = isinstance(layers, Mapping) and isinstance(single, list)
        if not texts or not all(isinstance(text, str) for text in (*layers.values(), *single)):
            raise ValueError(f"{ENTRY} is of another type than kgenn writes")
        by_name, outputs_by_name, in_dictionary = (entry.get(name) is True for name in FLAGS)
        return cls(tuple(layers.items()), by_name, outputs_by_name, in_dictionary, tuple(single))


# Layers give all names, and arrays may be listed in the model's order.
ALL_NAMED = Naming()
