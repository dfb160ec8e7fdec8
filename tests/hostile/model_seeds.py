"""Small models as files, changed by code before they are written."""

from __future__ import annotations

import copy
import io
import json
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest

from benchmarks.fuzz.seeds import archive_bytes, config_of, hdf5_bytes, layers
from kgenn.diagnostics import Diagnostic, KgennError
from kgenn.frontend import load

Change = Callable[[dict[str, Any], dict[str, dict[str, Any]]], object]


def refused(path: Path, code: str) -> Diagnostic:
    """Assert that reading a model ends in diagnostics of one code; return the first."""
    with pytest.raises(KgennError) as caught:
        load(path)
    assert {d.code for d in caught.value.diagnostics} == {code}
    assert path.name in caught.value.diagnostics[0].where
    assert str(caught.value).replace("\n", "").isprintable()
    return caught.value.diagnostics[0]


def changed_config(change: Change) -> dict[str, Any]:
    """Return the config of the seed, changed; `change` gets it and the options of each layer."""
    config = copy.deepcopy(config_of(layers()))
    change(config["config"], {entry["name"]: entry["config"] for entry in config["config"]["layers"]})
    return config


def written(folder: Path, change: Change) -> Path:
    """Write the seed as a .keras archive with another config."""
    return archive(folder, json.dumps(changed_config(change)))


def archive(folder: Path, config: str, method: int = zipfile.ZIP_STORED, **members: bytes) -> Path:
    """Write a .keras archive with a config, the weights of the seed, and other members."""
    with zipfile.ZipFile(io.BytesIO(archive_bytes(layers()))) as old:
        weights = old.read("model.weights.h5")
    path = folder / "model.keras"
    with zipfile.ZipFile(path, "w", method) as new:
        new.writestr("config.json", config)
        new.writestr("model.weights.h5", weights)
        for name, content in members.items():
            new.writestr(name, content)
    return path


def hdf5(folder: Path, change: Callable[[h5py.File], object] | None = None) -> Path:
    """Write the seed as an .h5 file, changed through h5py."""
    path = folder / "model.h5"
    path.write_bytes(hdf5_bytes(layers()))
    if change is not None:
        with h5py.File(path, "r+") as file:
            change(file)
    return path


def heap_objects(content: bytes | bytearray, heap: int) -> dict[int, int]:
    """Return where each object of the heap of texts at a place stands, by its index."""
    end, place = heap + struct.unpack_from("<Q", content, heap + 8)[0], heap + 16
    places: dict[int, int] = {}
    while place + 16 <= end:
        index, _, _, size = struct.unpack_from("<HHIQ", content, place)
        places[index] = place
        if not index:
            break
        place += 16 + -(-size // 8) * 8
    return places


def heaps(content: bytes | bytearray) -> list[int]:
    """Return the places of all heaps of texts."""
    return [match.start() for match in re.finditer(b"GCOL\x01", content)]
