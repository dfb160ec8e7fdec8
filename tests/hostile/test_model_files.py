"""A model file that is made to harm, or damaged in a way that harmed once, is a diagnostic."""

from __future__ import annotations

import json
import struct
import time
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from benchmarks.fuzz.seeds import config_of, layers
from kgenn.api import check, convert
from kgenn.conversion.data_norm import DataNorm
from kgenn.diagnostics import KgennError
from kgenn.frontend import bounds, load
from kgenn.layers import OPERATIONS
from model_seeds import archive, changed_config, hdf5, heap_objects, heaps, refused, written

ALLOW = ("bias", "batch-norm", "max-pool", "relu-cap", "zero-padding")
KERNEL = "model_weights/conv/conv/w0"


def test_the_seeds_are_read_alike(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((2, 4, 4, 2), np.float32)
    first, second = load(hdf5(tmp_path)), load(written(tmp_path, lambda config, options: None))
    assert np.array_equal(first.predict(x), second.predict(x))


# HDF5: what the library follows, and what it falls over


SHAPE = (2, 2, 2, 3)
PUTS: dict[str, Any] = {
    "soft link": lambda file: file.__setitem__(KERNEL, h5py.SoftLink("/model_weights/dw/dw/w0")),
    "external link": lambda file: file.__setitem__(KERNEL, h5py.ExternalLink("/etc/passwd", "/x")),
    "external values": lambda file: file.create_dataset(KERNEL, SHAPE, "f4", external=[("/etc/passwd", 0, 96)]),
    "virtual": lambda file: file.create_virtual_dataset(KERNEL, h5py.VirtualLayout(SHAPE, "f4")),
    "references": lambda file: file.create_dataset(KERNEL, SHAPE, h5py.ref_dtype),
    "sequences": lambda file: file.create_dataset(KERNEL, SHAPE, h5py.vlen_dtype("f4")),
    "texts": lambda file: file.create_dataset(KERNEL, SHAPE, h5py.string_dtype()),
    "complex": lambda file: file.create_dataset(KERNEL, SHAPE, "c8"),
    "records": lambda file: file.create_dataset(KERNEL, SHAPE, [("a", "i1"), ("b", "i1")]),
    "nothing": lambda file: file.create_dataset(KERNEL, data=h5py.Empty("f4")),
    "huge": lambda file: file.create_dataset(KERNEL, (10**9, 10**9), "f4", chunks=True),
    "huge chunks": lambda file: file.create_dataset(KERNEL, SHAPE, "f4", chunks=(99,) * 4, maxshape=(None,) * 4),
    "group": lambda file: file.create_group(KERNEL),
    "dates": lambda file: _date(file),
}


@pytest.mark.parametrize("put", PUTS.values(), ids=PUTS)
def test_an_array_that_is_elsewhere_or_no_numbers_is_refused(tmp_path: Path, put: Any) -> None:
    def change(file: h5py.File) -> None:
        del file[KERNEL]
        put(file)

    assert "conv (Conv2D)" in refused(hdf5(tmp_path, change), "KG106").where


def _date(file: h5py.File) -> None:
    """Store a kind of time that NumPy has no type for."""
    space = h5py.h5s.create_simple((2, 2, 2, 3))
    h5py.h5d.create(file["model_weights/conv/conv"].id, b"w0", h5py.h5t.UNIX_D32LE, space)


def _texts(path: Path, index: int, size: int) -> None:
    """State another length of an object in the heap that holds the texts of attributes."""
    content = bytearray(path.read_bytes())
    found = (heap_objects(content, heap) for heap in heaps(content))
    place = next(objects[index] for objects in found if index in objects)
    struct.pack_into("<Q", content, place + 8, size)
    path.write_bytes(content)


@pytest.mark.parametrize("size", [0, 1, 8])
def test_a_heap_of_texts_that_never_ends_is_not_followed(tmp_path: Path, size: int) -> None:
    # the HDF5 library (1.14.6) loops forever over a free rest of length 0
    path = hdf5(tmp_path, lambda file: file.attrs.__setitem__("backend", "tensorflow"))
    _texts(path, 0, size)
    load(path)


@pytest.mark.parametrize("size", [0, 3, 1 << 40, (1 << 64) - 1])
def test_a_text_shorter_or_longer_than_stated_is_refused(tmp_path: Path, size: int) -> None:
    # the HDF5 library (1.14.6) copies as much as the heap states into as much room as the attribute states
    path = hdf5(tmp_path)
    _texts(path, 1, size)
    refused(path, "KG102")


def test_a_longer_text_than_stated_is_cut(tmp_path: Path) -> None:
    path = hdf5(tmp_path, lambda file: file.attrs.__setitem__("backend", "theano" + "x" * 50))
    content = path.read_bytes()
    found = (content.find(struct.pack("<IQ", 56, heap)) for heap in heaps(content))
    at = max(found)
    path.write_bytes(content[:at] + struct.pack("<I", 6) + content[at + 4 :])
    assert "Theano" in refused(path, "KG102").what


@pytest.mark.parametrize("libver", ["earliest", "v110", "latest"])
@pytest.mark.parametrize("tracked", [False, True])
def test_texts_are_read_from_every_layout_of_object_headers(tmp_path: Path, libver: str, tracked: bool) -> None:
    config, path = json.dumps(config_of(layers())), tmp_path / "model.h5"
    with h5py.File(path, "w", libver=libver, track_order=tracked) as file:
        for i in range(5):
            file.attrs[f"other{i}"] = "filling" * i
        file.attrs["model_config"] = config
        group = file.create_group("model_weights")
        for _, options, _, arrays in layers():
            names = [f"w{i}" for i in range(len(arrays))]
            inner = group.create_group(options["name"], track_order=tracked)
            inner.attrs["weight_names"] = names or np.zeros(0, "S1")
            for name, array in zip(names, arrays, strict=True):
                inner[name] = array
    x = np.ones((1, 4, 4, 2), np.float32)
    (tmp_path / "seed").mkdir()
    assert np.array_equal(load(path).predict(x), load(hdf5(tmp_path / "seed")).predict(x))


@pytest.mark.parametrize(
    "value", [np.zeros((3, 3)), np.zeros(2), b"\xff\xfe", 3, h5py.Empty("f4"), np.array([b"a"])]
)
@pytest.mark.parametrize("key", ["model_config", "backend"])
def test_an_attribute_that_is_no_text_is_refused_or_ignored(tmp_path: Path, key: str, value: Any) -> None:
    path = hdf5(tmp_path, lambda file: file.attrs.__setitem__(key, value))
    if key == "model_config" or isinstance(value, h5py.Empty):
        refused(path, "KG102")
    else:
        load(path)


@pytest.mark.parametrize("value", ["conv2d", 3, np.array(["conv", "x"], "S"), np.zeros((2, 2))])
def test_a_group_of_another_layer_is_refused(tmp_path: Path, value: Any) -> None:
    path = written(tmp_path, lambda config, options: None)
    with zipfile.ZipFile(path) as old:
        (tmp_path / "w.h5").write_bytes(old.read("model.weights.h5"))
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        file["layers/conv2d/vars"].attrs["name"] = value
    with zipfile.ZipFile(path, "w") as new:
        new.writestr("config.json", json.dumps(config_of(layers())))
        new.write(tmp_path / "w.h5", "model.weights.h5")
    refused(path, "KG106")


def test_an_hdf5_file_that_does_not_begin_with_its_superblock_is_refused(tmp_path: Path) -> None:
    path = hdf5(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[:13] + b"\x04" + content[14:])
    refused(path, "KG102")


# archives


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_without_bounds_are_refused(tmp_path: Path, method: int) -> None:
    assert "compressed" in refused(archive(tmp_path, json.dumps(config_of(layers())), method), "KG102").what


def test_deflate_is_read(tmp_path: Path) -> None:
    load(archive(tmp_path, json.dumps(config_of(layers())), zipfile.ZIP_DEFLATED))


def _patched(path: Path, signature: bytes, offset: int, value: bytes) -> Path:
    """Write a value into each of the archive's headers of a kind."""
    content, at = bytearray(path.read_bytes()), -1
    while (at := content.find(signature, at + 1)) >= 0:
        content[at + offset : at + offset + len(value)] = value
    path.write_bytes(content)
    return path


def test_a_member_that_claims_to_unpack_to_gigabytes_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, json.dumps(config_of(layers())), zipfile.ZIP_DEFLATED)
    what = refused(_patched(path, b"PK\x01\x02", 24, b"\xf0\xff\xff\xff"), "KG110").what
    assert "12,884,901,840 bytes of memory" in what


def test_a_stored_member_that_claims_to_be_longer_than_the_archive_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, json.dumps(config_of(layers())))
    content = path.read_bytes()
    entry = content.rfind(b"PK\x01\x02")  # the last member's: the weights
    path.write_bytes(content[: entry + 20] + b"\xf0\xff\xff\x7f" * 2 + content[entry + 28 :])
    assert "cut off" in refused(path, "KG102").what


def test_a_member_that_unpacks_to_more_than_it_claims_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, json.dumps(config_of(layers())), zipfile.ZIP_DEFLATED)
    refused(_patched(path, b"PK\x01\x02", 24, b"\x10\0\0\0"), "KG102")


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    refused(_patched(archive(tmp_path, "{}"), b"PK\x01\x02", 8, b"\x01\0"), "KG102")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, json.dumps(config_of(layers())))
    with zipfile.ZipFile(path, "a") as more:
        more.writestr("config.json", "{}")
    assert "two members" in refused(path, "KG102").what


def test_members_outside_the_archive_are_written_nowhere(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    load(archive(inner, json.dumps(config_of(layers())), **{"../../escaped": b"x", "/tmp/escaped": b"x"}))
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a", "b", "model.keras"]


# configs


@pytest.mark.parametrize("depth", [210, 900, 5000, 100_000])
def test_a_config_that_is_nested_too_deep_is_refused(tmp_path: Path, depth: int) -> None:
    text = json.dumps(config_of(layers())).replace('"seed"', "", 1)
    deep = text[:-1] + ', "more": ' + "[" * depth + "]" * depth + "}"
    assert "nesting" in refused(archive(tmp_path, deep), "KG102").what


def test_forty_models_in_one_another_are_read(tmp_path: Path) -> None:
    model: dict[str, Any] = changed_config(lambda config, options: None)
    for level in range(40):
        model = {"class_name": "Sequential", "config": {"name": f"n{level}", "layers": [model]}}
    with pytest.raises(KgennError) as caught:  # all is well but for the weights, which stand elsewhere now
        load(archive(tmp_path, json.dumps(model)))
    assert {d.code for d in caught.value.diagnostics} == {"KG106"}


@pytest.mark.parametrize("name", ["\x1b[2J", "a\nb", "\ud800", "\u202eevil", "a\0b", "x" * 5000])
@pytest.mark.parametrize("place", ["layer", "model"])
def test_names_that_cannot_be_seen_are_refused_and_not_shown(tmp_path: Path, name: str, place: str) -> None:
    def change(config: dict[str, Any], options: dict[str, Any]) -> None:
        if place == "model":
            config["name"] = name
        else:
            config["layers"][2]["name"] = name

    assert "allowed: up to 400 characters" in refused(written(tmp_path, change), "KG107").what


@pytest.mark.parametrize("key", ["class_name", "module", "activation"])
def test_other_texts_cannot_steer_a_terminal(tmp_path: Path, key: str) -> None:
    def change(config: dict[str, Any], options: dict[str, Any]) -> None:
        (options["conv"] if key == "activation" else config["layers"][2])[key] = "\x1b]0;x\x07\ud800"

    refused(written(tmp_path, change), "KG107" if key == "activation" else "KG105")


BIG = [10**400, 1e308, 2**40, -1, 0, True, 1.5, "2", None, [], [[2, 2]], float("nan"), float("inf")]


@pytest.mark.parametrize("value", BIG, ids=lambda value: str(value)[:8])
@pytest.mark.parametrize(
    ("layer", "key"),
    [("conv", "filters"), ("conv", "kernel_size"), ("max", "pool_size"), ("y", "units"), ("turn", "dims")],
)
def test_sizes_that_are_no_sizes_are_refused(tmp_path: Path, layer: str, key: str, value: Any) -> None:
    path = written(tmp_path, lambda config, options: options[layer].__setitem__(key, value))
    assert f"{key}=" in refused(path, "KG107").what


@pytest.mark.parametrize(
    "value", [10**400, 1e39, float("nan"), "1", True, [1.0]], ids=lambda value: str(value)[:8]
)
@pytest.mark.parametrize(("layer", "key"), [("relu", "max_value"), ("bn", "epsilon")])
def test_numbers_beyond_float32_are_refused(tmp_path: Path, layer: str, key: str, value: Any) -> None:
    refused(written(tmp_path, lambda config, options: options[layer].__setitem__(key, value)), "KG107")


def test_a_rescaling_beyond_float64_is_refused(tmp_path: Path) -> None:
    refused(written(tmp_path, lambda config, options: options["scale"].__setitem__("scale", 10**400)), "KG107")


@pytest.mark.parametrize("shape", [[None, True, 4, 2], [None, 2**40, 4, 2], [None, *[1] * 40], [None, 4.0, 4, 2]])
def test_input_shapes_that_are_none_are_refused(tmp_path: Path, shape: list[Any]) -> None:
    refused(written(tmp_path, lambda config, options: options["x"].__setitem__("batch_shape", shape)), "KG109")


# bounds: a diagnostic before anything of that size is made


@pytest.mark.parametrize(
    ("layer", "key", "value"),
    [
        ("pad", "padding", [[10**9, 0], [0, 0]]),
        ("mean", "pool_size", [10**6, 10**6]),
        ("dw", "kernel_size", [2**20, 2**20]),
        ("dw", "dilation_rate", [2**30, 2**30]),
        ("y", "units", 2**30),
        ("conv", "filters", 2**28),
        ("x", "batch_shape", [None, 10**5, 10**5, 2]),
    ],
)
def test_a_model_that_asks_for_too_much_is_refused_at_once(
    tmp_path: Path, layer: str, key: str, value: Any
) -> None:
    path = written(tmp_path, lambda config, options: options[layer].__setitem__(key, value))
    start = time.process_time()
    assert "asks for" in refused(path, "KG110").what
    assert time.process_time() - start < 5


def _doubling(levels: int) -> dict[str, Any]:
    """Return a model that calls a model twice, which calls a model twice …"""

    def model(name: str, inner: list[dict[str, Any]], output: str, calls: int) -> dict[str, Any]:
        options = {"name": "i", "trainable": True, "batch_shape": [None, 4]}
        source = {"class_name": "InputLayer", "name": "i", "config": options}
        ends = {"input_layers": [["i", 0, 0]], "output_layers": [[output, calls - 1, 0]]}
        entries = [{**source, "inbound_nodes": []}, *inner]
        return {"class_name": "Functional", "name": name, "config": {"name": name, "layers": entries, **ends}}

    def called(entry: dict[str, Any]) -> dict[str, Any]:
        return {**entry, "inbound_nodes": [[["i", 0, 0, {}]], [[entry["name"], 0, 0, {}]]]}

    relu = {"class_name": "ReLU", "name": "relu", "config": {"name": "relu", "trainable": True}}
    entry = called(relu)
    for level in range(levels):
        entry = called(model(f"m{level}", [entry], entry["name"], 2))
    return model("top", [entry], entry["name"], 2)


def test_models_that_double_at_each_level_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_CALLS", 1000)
    assert len(load(archive(tmp_path, json.dumps(_doubling(3)))).nodes) > 16
    assert "calls of layers" in refused(archive(tmp_path, json.dumps(_doubling(40))), "KG110").what


def _chain(count: int) -> dict[str, Any]:
    entries: list[dict[str, Any]] = [
        {
            "class_name": "Reshape",
            "config": {"name": f"l{i}", "trainable": True, "target_shape": [4, 1][: 1 + i % 2]},
        }
        for i in range(count)
    ]
    config = {"name": "top", "layers": entries, "build_input_shape": [None, 4]}
    return {"class_name": "Sequential", "config": config}


@pytest.mark.slow
def test_a_hundred_thousand_layers_are_refused(tmp_path: Path) -> None:
    assert "calls of layers" in refused(archive(tmp_path, json.dumps(_chain(100_000))), "KG110").what


@pytest.mark.slow
def test_as_many_layers_as_are_allowed_are_checked_without_recursion(tmp_path: Path) -> None:
    graph = load(archive(tmp_path, json.dumps(_chain(1500))))
    assert graph.predict(np.ones((1, 4), np.float32)).size == 4
    assert check(graph) is not None


def test_weights_are_bounded_over_all_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_WEIGHTS", 30)
    assert "weights, more than 30" in refused(hdf5(tmp_path), "KG110").what


def test_a_matrix_too_large_to_search_is_a_diagnostic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = load(hdf5(tmp_path))  # its turned and padded image is pooled, which only a matrix represents
    samples = np.random.default_rng(0).random((4, 4, 4, 2))
    convert(graph, calibration=samples, timesteps=2, allow=ALLOW)
    monkeypatch.setattr("kgenn.conversion.searched.MAX_SYNAPSES", 4)
    with pytest.raises(KgennError, match=r"KG301.*over 4 synapses"):
        convert(graph, calibration=samples, timesteps=2, allow=ALLOW)


# values


def test_a_negative_variance_is_refused(tmp_path: Path) -> None:
    def change(file: h5py.File) -> None:
        file["model_weights/bn/bn/w3"][1] = -0.5

    assert "'moving_variance' must be at least 0" in refused(hdf5(tmp_path, change), "KG106").what


@pytest.mark.parametrize("dtype", ["f2", "f8", ">f4", "i1", "u8", ">i4"])
def test_arrays_of_other_real_types_are_read(tmp_path: Path, dtype: str) -> None:
    values = np.arange(24).reshape(2, 2, 2, 3) % 5

    def change(file: h5py.File) -> None:
        del file[KERNEL]
        file[KERNEL] = values.astype(dtype)

    graph = load(hdf5(tmp_path, change))
    assert np.array_equal(graph.by_name["conv"].layer.kernel, values)  # type: ignore[attr-defined]


def test_weights_that_overflow_are_a_diagnostic_of_the_conversion(tmp_path: Path) -> None:
    def change(file: h5py.File) -> None:
        file[KERNEL][...] = 3e38

    graph = load(hdf5(tmp_path, change))
    with pytest.raises(KgennError, match=r"KG402.*conv.*not finite"):
        convert(graph, converter=DataNorm(), calibration=np.ones((2, 4, 4, 2)), timesteps=2, allow=ALLOW)


def test_a_layer_without_the_entry_trainable_is_a_layer(tmp_path: Path) -> None:
    config = config_of(layers())
    for entry in config["config"]["layers"]:
        del entry["module"], entry["config"]["trainable"], entry["config"]["dtype"]
        if entry["class_name"] in OPERATIONS:  # the name of an operation too
            entry["config"]["trainable"] = True
    path = hdf5(tmp_path, lambda file: file.attrs.__setitem__("model_config", json.dumps(config)))
    assert load(path).by_name.keys() >= {"scale", "conv", "turn"}
