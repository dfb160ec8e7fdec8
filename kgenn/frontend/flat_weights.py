"""Share out the flat list in which an .h5 file holds the arrays of a nested model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from kgenn.diagnostics import fail
from kgenn.frontend.model_config import LayerEntry, ModelEntry, Path
from kgenn.frontend.topology import Plans
from kgenn.layers.weights import Slot, StoredArray


def split(
    entry: LayerEntry, model: ModelEntry, stored: list[StoredArray], plans: Plans, source: str
) -> Mapping[Path, Sequence[StoredArray]]:
    """Return the arrays of each layer of a nested model.

    Keras lists first what training changes, for all layers, then the rest (moving statistics, frozen layers).
    A nested model frozen as a whole can stand in plain order instead: the stored names tell.
    """
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
    for order in (trainable_first, slots):
        if _names_agree([slot for _, slot, _ in order], stored):
            found: dict[Path, list[StoredArray]] = {path: [] for path, _, _ in slots}
            for (path, _, _), array in zip(order, stored, strict=True):
                found[path].append(array)
            return found
    labels = ", ".join(array.label for array in stored)
    what = f"stores its arrays in an order that kgenn does not know: {labels}"
    raise fail("KG106", where, what, "save the model again")


def _names_agree(slots: list[Slot], stored: list[StoredArray]) -> bool:
    """Tell whether no array is stored under the name of another kind of array."""
    known = {_variable(slot.name) for slot in slots}
    return all(
        _variable(array.label) == _variable(slot.name) or _variable(array.label) not in known
        for slot, array in zip(slots, stored, strict=True)
    )


def _variable(label: str) -> str:
    """Return the variable's own name: "kernel" of "conv2d_1/kernel:0", and of "conv2d/depthwise_kernel_1:0"."""
    name = re.sub(r"(_\d+)?(:\d+)?(_\d+)?$", "", label.rpartition("/")[2])
    return name.removeprefix("depthwise_")
