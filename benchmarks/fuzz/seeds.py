"""The small real files that are mutated: each is a kind of input and its files by name."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np

from kgenn import DataNorm, convert, load
from kgenn.artifact.directory import MANIFEST, NETWORK, Artifact
from kgenn.backends.base import Program
from kgenn.ir.serialise import zip_bytes

FIXTURES = Path(__file__).parents[2] / "tests" / "fixtures" / "keras2"
SHAPE = (4, 4, 2)


@dataclass(frozen=True)
class Input:
    """What one run of the fuzzer reads.

    Attributes:
        kind: "h5", "keras", "npz", "directory", "toml" or "cells".
        files: by name; of a model or a data set there is one.
    """

    kind: str
    files: dict[str, bytes]

    @property
    def main(self) -> str:
        """Return the name of the first file."""
        return next(iter(self.files))


def seeds(kinds: str = "") -> list[Input]:
    """Return all seeds, or those of some kinds, such as "h5,keras"; the same each time."""
    small_h5, small_archive = hdf5_bytes(layers()), archive_bytes(layers())
    found = [Input("h5", {"model.h5": small_h5}), Input("keras", {"model.keras": small_archive})]
    for path in sorted(FIXTURES.glob("*-*.h5")) + sorted(FIXTURES.glob("*-*.keras")):
        found.append(Input(path.suffix[1:], {f"model{path.suffix}": path.read_bytes()}))
    found += [Input("npz", {"data.npz": data}) for data in _data_sets()]
    found.append(Input("directory", _directory(small_h5)))
    found.append(Input("toml", {"sweep.toml": CONFIG.encode()}))
    found.append(Input("cells", RESULTS))
    return [seed for seed in found if not kinds or seed.kind in kinds.split(",")]


def layers() -> list[tuple[str, dict[str, Any], list[str], list[np.ndarray]]]:
    """Return the layers of a small model: class, options, what it reads, its arrays."""
    rng = np.random.default_rng(0)

    def array(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.5, shape).astype(np.float32)

    ones, zeros = np.ones(3, np.float32), np.zeros(3, np.float32)
    conv = {"filters": 3, "kernel_size": [2, 2], "padding": "same", "use_bias": False, "activation": "relu"}
    return [
        ("InputLayer", {"name": "x", "batch_shape": [None, *SHAPE]}, [], []),
        ("Rescaling", {"name": "scale", "scale": 0.5, "offset": 0.0}, ["x"], []),
        ("Conv2D", {"name": "conv", **conv}, ["scale"], [array(2, 2, 2, 3)]),
        (
            "BatchNormalization",
            {"name": "bn", "axis": [-1], "epsilon": 1e-3},
            ["conv"],
            [ones, zeros, zeros, ones],
        ),
        (
            "DepthwiseConv2D",
            {"name": "dw", "kernel_size": [3, 3], "padding": "same"},
            ["bn"],
            [array(3, 3, 3, 1), zeros],
        ),
        ("ReLU", {"name": "relu", "max_value": 6.0}, ["dw"], []),
        ("Add", {"name": "add"}, ["relu", "conv"], []),
        ("MaxPooling2D", {"name": "max", "pool_size": [2, 2]}, ["add"], []),
        ("ZeroPadding2D", {"name": "pad", "padding": [[0, 1], [1, 0]]}, ["max"], []),
        ("Permute", {"name": "turn", "dims": [2, 1, 3]}, ["pad"], []),
        ("AveragePooling2D", {"name": "mean", "pool_size": [3, 3], "padding": "same"}, ["turn"], []),
        ("Reshape", {"name": "shape", "target_shape": [-1]}, ["mean"], []),
        ("Concatenate", {"name": "join", "axis": -1}, ["shape", "shape"], []),
        ("Dense", {"name": "y", "units": 4, "activation": "softmax"}, ["join"], [array(6, 4), array(4)]),
    ]


def config_of(model: list[tuple[str, dict[str, Any], list[str], list[np.ndarray]]]) -> dict[str, Any]:
    """Return the config of a functional model as Keras 3 writes it."""
    entries = [
        {
            "class_name": class_name,
            "module": "keras.layers",
            "registered_name": None,
            "name": options["name"],
            "config": {"trainable": True, "dtype": "float32", **options},
            "inbound_nodes": [{"args": [[_tensor(s) for s in sources]], "kwargs": {}}] if sources else [],
        }
        for class_name, options, sources, _ in model
    ]
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [[entries[-1]["name"], 0, 0]]}
    config = {"name": "tiny", "trainable": True, "layers": entries, **ends}
    return {"module": "keras", "class_name": "Functional", "registered_name": "Functional", "config": config}


def _tensor(layer: str) -> dict[str, Any]:
    return {"class_name": "__keras_tensor__", "config": {"dtype": "float32", "keras_history": [layer, 0, 0]}}


def hdf5_bytes(model: list[tuple[str, dict[str, Any], list[str], list[np.ndarray]]]) -> bytes:
    """Return the .h5 file of a model."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["model_config"] = json.dumps(config_of(model))
        file.attrs["keras_version"] = "3.5.0"
        weights = file.create_group("model_weights")
        for _, options, _, arrays in model:
            group = weights.create_group(options["name"])
            names = [f"{options['name']}/w{i}" for i in range(len(arrays))]
            group.attrs["weight_names"] = np.array(names, "S") if names else np.zeros(0, "S1")
            for name, array in zip(names, arrays, strict=True):
                group.create_dataset(name, data=array)
    return buffer.getvalue()


def archive_bytes(model: list[tuple[str, dict[str, Any], list[str], list[np.ndarray]]]) -> bytes:
    """Return the .keras archive of a model."""
    weights = io.BytesIO()
    keys = {"Conv2D": "conv2d", "BatchNormalization": "batch_normalization", "Dense": "dense"}
    keys["DepthwiseConv2D"] = "depthwise_conv2d"
    with h5py.File(weights, "w") as file:
        for class_name, _, _, arrays in model:
            for i, array in enumerate(arrays):
                file[f"layers/{keys[class_name]}/vars/{i}"] = array
    return zip_bytes(
        {
            "metadata.json": json.dumps({"keras_version": "3.5.0"}).encode(),
            "config.json": json.dumps(config_of(model)).encode(),
            "model.weights.h5": weights.getvalue(),
        }
    )


def _data_sets() -> Iterator[bytes]:
    """Yield data files of both layouts, plain and compressed."""
    rng = np.random.default_rng(1)
    x = rng.integers(0, 256, (6, *SHAPE), np.uint8)
    y = np.arange(6) % 4
    for arrays, save in (
        ({"x": x / np.float32(255), "y": y}, np.savez),
        ({"x_train": x, "y_train": y[:, None], "x_test": x, "y_test": y[:, None]}, np.savez_compressed),
    ):
        buffer = io.BytesIO()
        save(buffer, **arrays)
        yield buffer.getvalue()


def _directory(model: bytes) -> dict[str, bytes]:
    """Return the manifest and the arrays of a converted model."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.h5"
        path.write_bytes(model)
        samples = np.random.default_rng(2).random((8, *SHAPE), np.float32)
        allow = ("bias", "batch-norm", "max-pool", "relu-cap", "zero-padding")
        graph = load(path)
        network = convert(graph, converter=DataNorm(), calibration=samples, timesteps=4, allow=allow, check=False)
    files = Artifact(replace(network, origin={"scale": "1"}), "reference").files(Program({}))
    return {MANIFEST: files[MANIFEST], NETWORK: files[NETWORK]}


CONFIG = """
title = "A tiny sweep"
models = "model.h5"
data = "data.npz"
scale = "1/255"
limit = 10
rows = ["converter"]
calibration = { data = "data.npz", samples = 4 }

[[sweep]]
converter = ["data-norm", "burst"]
timesteps = [4, 8]

[[published]]
where = { converter = "burst" }
accuracy = 90.0
"""

SWEEP = {
    "schema": 1,
    "experiments": [
        {
            "name": "one",
            "title": "Experiment one",
            "note": "",
            "source": None,
            "kind": "table",
            "rows": ["model"],
            "columns": ["converter"],
            "published": [],
            "cells": ["00000000000000a1", "00000000000000a2"],
        }
    ],
}
CELL = {
    "schema": 1,
    "key": "00000000000000a1",
    "experiment": "one",
    "axes": {"model": "net", "converter": "burst", "timesteps": 4},
    "status": "ok",
    "error": None,
    "result": {
        "accuracy": 0.9,
        "ann_accuracy": 0.96,
        "num_samples": 100,
        "num_timesteps": 4,
        "curve": [0.1, 0.5, 0.8, 0.9],
        "spikes_per_neuron": 1.25,
        "synaptic_operations": 12345.5,
        "ann_macs": 50000,
        "layers": [{"name": "conv", "neurons": 64, "spikes_per_neuron": 1.5, "error": 0.1}],
        "raster": {"population": "conv", "size": 64, "neurons": 4, "spikes": [[0, 0], [1, 3]]},
    },
    "rerun": {"model": {"file": "net.h5", "sha256": "ab"}, "kgenn": "0.1", "command": ["kgenn run cell"]},
    "cost": {"wall_seconds": 0.5},
}
FAILED = {
    **CELL,
    "key": "00000000000000a2",
    "status": "failed",
    "error": [{"code": "KG201", "where": "conv (Conv2D)", "what": "has a bias", "help": ""}],
    "result": None,
}
RESULTS = {
    "sweep.json": json.dumps(SWEEP).encode(),
    "cells.jsonl": f"{json.dumps(CELL)}\n{json.dumps(FAILED)}\n".encode(),
}
