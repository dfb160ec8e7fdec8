"""Write a network as plain data, a JSON-able tree and a dictionary of arrays, and read it back."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from kgenn.ir.axis_map import AxisMap
from kgenn.ir.connectivity import Convolution, DenseConnectivity, OneToOne, Sparse
from kgenn.ir.graph import Array
from kgenn.ir.input_statistics import InputStatistics
from kgenn.ir.network import Connection, Network, NetworkOutput, Population
from kgenn.ir.network_input import InputCoding, InputTransform, NetworkInput
from kgenn.ir.neuron_code import NeuronModel
from kgenn.ir.output_activation import OutputActivation
from kgenn.ir.spike_sums import Resampling, SumPool

# The only classes a stored network is built from, by their names in files; nothing else can be named there.
CLASSES: dict[str, type[Any]] = {
    cls.__name__: cls
    for cls in (
        AxisMap,
        Connection,
        Convolution,
        InputCoding,
        InputStatistics,
        InputTransform,
        Network,
        NetworkInput,
        NetworkOutput,
        NeuronModel,
        OneToOne,
        OutputActivation,
        Population,
        Resampling,
        Sparse,
        SumPool,
    )
} | {DenseConnectivity.kind: DenseConnectivity}
NAMES = {cls: name for name, cls in CLASSES.items()}

# Every archive member gets the first date a zip file can hold, so that equal contents are equal bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)


def stored(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that are stored with it, by name."""
    return {f.name: getattr(value, f.name) for f in fields(value) if f.metadata.get("stored", True)}


def to_plain(network: Network) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the network as JSON-able data, in which {"array": name} stands for an array, and the arrays."""
    arrays: dict[str, Array] = {}

    def plain(value: Any, path: str) -> Any:
        if isinstance(value, np.ndarray):
            arrays[path] = value
            return {"array": path}
        if is_dataclass(value) and not isinstance(value, type):
            items = {name: plain(item, f"{path}.{name}") for name, item in stored(value).items()}
            return {"class": NAMES[type(value)], **items}
        if isinstance(value, Mapping):
            # pairs, since a file may sort the keys of an object, and the order of parameters is that of the code
            return {"mapping": [[key, plain(item, f"{path}.{key}")] for key, item in value.items()]}
        if isinstance(value, tuple):
            return [plain(item, f"{path}.{i}") for i, item in enumerate(value)]
        return value.item() if isinstance(value, np.generic) else value

    return plain(network, "network"), arrays


def from_plain(data: Any, arrays: Mapping[str, Array]) -> Any:
    """Return what `to_plain` stored.

    Raises:
        KeyError, TypeError, ValueError: where the data were not written by `to_plain`.
    """
    if isinstance(data, list):
        return tuple(from_plain(item, arrays) for item in data)
    if not isinstance(data, dict):
        return data
    if "array" in data:
        return arrays[data["array"]]
    if "mapping" in data:
        return {key: from_plain(item, arrays) for key, item in data["mapping"]}
    items = {key: from_plain(item, arrays) for key, item in data.items() if key != "class"}
    cls = CLASSES[data["class"]]
    return cls(**(_with_ports(items) if cls is Network and "coding" in items else items))


def _with_ports(items: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a network of schema 3, which had one input and one output, as they are since."""
    first, *_, last = (p.name for p in (*items["populations"][:1], *items["populations"]))
    taken = ("input_shape", "transform", "coding")
    shape, transform, coding = (items[name] for name in taken)
    given = NetworkInput(first, shape, transform, coding, items.get("calibrated_on"))
    output = NetworkOutput(last, last, items.get("output_activations", ()))
    gone = (*taken, "calibrated_on", "output_activations")
    rest = {name: item for name, item in items.items() if name not in gone}
    return {**rest, "inputs": (given,), "outputs": (output,)}


def npz_bytes(arrays: Mapping[str, Array]) -> bytes:
    """Return an .npz archive; the same arrays give the same bytes."""
    members = {}
    for name, array in arrays.items():
        member = io.BytesIO()
        np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
        members[f"{name}.npy"] = member.getvalue()
    return zip_bytes(members)


def zip_bytes(members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip archive, compressed by a method of `zipfile`; the same members give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content, method)
    return buffer.getvalue()
