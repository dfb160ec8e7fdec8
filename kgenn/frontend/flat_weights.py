"""Order the arrays of a layer, and share out the flat list in which an .h5 file holds those of a nested model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from kgenn.diagnostics import fail
from kgenn.frontend.model_config import LayerEntry, ModelEntry, Path
from kgenn.frontend.topology import Plans
from kgenn.layers.weights import StoredArray, WeightSpec

# The vector that SpectralNormalization normalises a kernel by while it is trained.
_OF_TRAINING = {("vector_u",), ("sn_u",)}


def by_name(slots: Sequence[WeightSpec], stored: list[StoredArray]) -> list[StoredArray]:
    """Return the arrays of a layer in the order in which it takes them, where their names say which is which.

    An .h5 file lists first what training changes, which is not a kernel that is quantised or has a correction.
    """
    found = {_words(array.label, 1): array for array in stored}
    names = [_words(slot.name, 1) for slot in slots]
    return [found[name] for name in names] if len(found) == len(stored) and found.keys() == set(names) else stored


def split(
    entry: LayerEntry, model: ModelEntry, stored: list[StoredArray], plans: Plans, source: str
) -> Mapping[Path, Sequence[StoredArray]]:
    """Return the arrays of each layer of a nested model.

    Keras lists first what training changes, for all layers, then the rest (moving statistics, frozen layers).
    Keras 3 lists those of a model that is frozen as a whole in plain order instead, which the stored names tell:
    "layer/variable", in general, though the layer part may be another name in Keras 2.
    """
    stored = [array for array in stored if _words(array.label, 1) not in _OF_TRAINING]
    slots = [
        (path, slot, slot.trainable and bool(leaf.options.get("trainable", True)))
        for path, leaf in model.leaves((entry.name,))
        for slot in plans.get(path, ())
    ]
    where = f"{source}: {entry.name} ({entry.class_name})"
    if len(slots) != len(stored):
        what = f"stores {len(stored)} arrays where its layers need {len(slots)}"
        raise fail("KG106", where, what, "save the model again from the Keras that trained it")
    trainable_first = [s for s in slots if s[2]] + [s for s in slots if not s[2]]
    for parts, order in ((2, trainable_first), (2, slots), (1, trainable_first), (1, slots)):
        if _agree([_words(f"{path[-1]}/{slot.name}", parts) for path, slot, _ in order], stored, parts):
            found = {id(slot): array for (_, slot, _), array in zip(order, stored, strict=True)}
            return {path: [found[id(slot)] for slot in plans.get(path, ())] for path, _, _ in slots}
    labels = ", ".join(array.label for array in stored)
    what = f"stores its arrays in an order that kgenn does not know: {labels}"
    raise fail("KG106", where, what, "save the model again")


def _agree(expected: list[Path], stored: list[StoredArray], parts: int) -> bool:
    """Tell whether no array is stored under the name of another one."""
    found = [_words(array.label, parts) for array in stored]
    known = set(expected)
    return all(ours == theirs or theirs not in known for ours, theirs in zip(expected, found, strict=True))


def _words(label: str, parts: int) -> Path:
    """Return the last parts of a label: of "conv/depthwise_kernel_1:0" the variable "kernel", and its layer."""
    *layers, variable = label.split("/")
    name = re.sub(r"(_\d+)?(:\d+)?(_\d+)?$", "", variable).removeprefix("depthwise_")
    return (*layers, name)[-parts:]
