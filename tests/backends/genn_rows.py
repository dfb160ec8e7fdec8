"""List the pairs of neurons that emitted GeNN programs connect, with pygenn itself, and without building anything.

    python genn_rows.py OUT DIRECTORY...

Writes, for each directory, OUT/<its name>.npz: for each sparse synapse population the length of each row and the
target of each synapse, row by row, and for each population the number of bytes that its matrix takes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pygenn


class Unbuilt(pygenn.GeNNModel):  # type: ignore[misc]
    """A model that ends where it would be built."""

    def build(self, *_: Any, **__: Any) -> None:
        raise StopIteration


def arrays_of(model: Any) -> dict[str, Any]:
    arrays = {}
    for name, group in model.synapse_populations.items():
        if group.connections_set:
            arrays[f"{name}.length"], arrays[f"{name}.target"] = group.row_lengths, group.ind
        arrays[f"{name}.slots"] = group.weight_update_var_size
    return arrays


def listed(directory: Path) -> dict[str, Any]:
    module = ModuleType("emitted")
    module.__file__ = str(directory / "model.py")
    exec(compile((directory / "model.py").read_bytes(), module.__file__, "exec"), module.__dict__)
    module.GeNNModel, module.BACKEND = Unbuilt, "single_threaded_cpu"
    network = module.Network.__new__(module.Network)
    try:
        network.__init__(1, False, directory)
    except StopIteration:
        return arrays_of(network.model)
    raise AssertionError("the model was built")


if __name__ == "__main__":
    out, *directories = map(Path, sys.argv[1:])
    for place in directories:
        np.savez(out / f"{place.name}.npz", **listed(place))
