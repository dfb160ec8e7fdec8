"""Reading takes a stated multiple of what a file and its weights are, whatever the file says."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.fuzz.memory import measurable
from benchmarks.fuzz.seeds import config_of, layers
from covering import leading
from kgenn.diagnostics import KgennError
from kgenn.frontend import load
from kgenn.frontend.config_text import memory_of
from model_seeds import archive, changed_config, hdf5, refused

ROOT = Path(__file__).parents[2]
MANY = 300_000
PARSER = 4096  # bytes that the parser itself takes
TEXTS: dict[str, str] = {
    "lists": "[" + "[]," * MANY + "1]",
    "lists of one": "[" + "[1]," * MANY + "1]",
    "objects": "[" + "{}," * MANY + "1]",
    "objects of one": "[" + '{"a":1},' * MANY + "1]",
    "objects in objects": "[" + '{"a":{}},' * MANY + "1]",
    "objects of six": "[" + '{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6},' * MANY + "1]",
    "keys": "{" + ",".join(f'"{i}":1' for i in range(MANY)) + "}",
    "keys in objects": "[" + ",".join(f'{{"é{i}":1}}' for i in range(MANY)) + "]",
    "numbers": "[" + ",".join(str(1000 + i) for i in range(MANY)) + "]",
    "texts": "[" + ",".join(['"ab"'] * MANY) + "]",
    "wide characters": "[" + ",".join(['"\U0001f600"'] * MANY) + "]",
    "one wide character": '["' + "x" * MANY + '\U0001f600"]',
}


def allocated(text: str) -> int:
    """Return the most bytes that Python allocates while it decodes and parses a text."""
    content = text.encode()
    tracemalloc.start()
    try:
        json.loads(content.decode())
        return tracemalloc.get_traced_memory()[1] + len(content)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("text", leading(TEXTS.values(), 2), ids=TEXTS)
def test_parsing_takes_no_more_memory_than_estimated(text: str) -> None:
    assert allocated(text) <= memory_of(text) + PARSER


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON, st.booleans())
def test_any_text_takes_no_more_memory_than_estimated(value: Any, ascii_only: bool) -> None:
    text = "[" + ",".join([json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"))] * 200) + "]"
    assert allocated(text) <= memory_of(text) + PARSER


# whole files, each read in a process of its own

MEASURE = """
import sys
from pathlib import Path
from benchmarks.fuzz.memory import Meter
import kgenn.frontend
from kgenn.diagnostics import KgennError
from kgenn.layers import LAYERS
for name in LAYERS.names():
    LAYERS.get(name)
meter = Meter()
with meter.reading(Path(sys.argv[1])):
    try:
        graph = kgenn.frontend.load(sys.argv[1])
        arrays = {id(v): v.nbytes for n in graph.nodes for v in vars(n.layer).values() if hasattr(v, "nbytes")}
        meter.held = sum(arrays.values())
    except KgennError as error:
        print(error, file=sys.stderr)
print(meter.taken, meter.stated, meter.held)
"""


def measured(path: Path) -> tuple[int, int, int]:
    """Return the most memory that reading a file takes, what is stated for it, and the bytes of the weights."""
    command = [sys.executable, "-c", MEASURE, str(path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    taken, stated, held = map(int, run.stdout.split())
    return taken, stated, held


def with_text(folder: Path, text: str) -> Path:
    config = json.dumps(config_of(layers()))
    return archive(folder, f'{config[:-1]}, "more": {text}}}', zipfile.ZIP_DEFLATED)


def with_calls(folder: Path) -> Path:
    def change(config: dict[str, Any], options: dict[str, Any]) -> None:
        config["layers"][6]["inbound_nodes"] *= 100_000

    return archive(folder, json.dumps(changed_config(change)), zipfile.ZIP_DEFLATED)


def with_weights(folder: Path, size: int, method: int, dtype: str = "f4") -> Path:
    """Write a model of one kernel of `size` zeros in an archive."""
    config = {"name": "y", "trainable": True, "units": 1000, "use_bias": False}
    source = {
        "class_name": "InputLayer",
        "config": {"name": "x", "dtype": "float32", "batch_shape": [None, size // 1000]},
    }
    entries = [source, {"class_name": "Dense", "config": config}]
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file["layers/dense/vars/0"] = np.zeros((size // 1000, 1000), dtype)
    path = folder / "model.keras"
    with zipfile.ZipFile(path, "w", method) as new:
        new.writestr("config.json", json.dumps({"class_name": "Sequential", "config": {"layers": entries}}))
        new.writestr("model.weights.h5", weights.getvalue())
    return path


def with_names(folder: Path) -> Path:
    """Write a long name and many short ones, each in an object of its own."""

    def change(file: h5py.File) -> None:
        names = ["x" * 60_000, *(f"y{i}" for i in range(100))]
        del file["model_weights/conv"].attrs["weight_names"]
        file["model_weights/conv"].attrs.create("weight_names", names, dtype=h5py.string_dtype())

    return hdf5(folder, change)


FILES: dict[str, Callable[[Path], Path]] = {
    **{name: lambda folder, text=text: with_text(folder, text) for name, text in TEXTS.items()},  # type: ignore[misc]
    "millions of lists": lambda folder: with_text(folder, "[" + "[]," * 10_000_000 + "1]"),
    "a deep list": lambda folder: with_text(folder, "[" * 10_000_000),
    "a long text": lambda folder: with_text(folder, '"' + "x" * 200_000_000 + '"'),
    "calls": with_calls,
}
WEIGHTS: dict[str, Callable[[Path], Path]] = {
    "stored": lambda folder: with_weights(folder, 50_000_000, zipfile.ZIP_STORED),
    "compressed": lambda folder: with_weights(folder, 50_000_000, zipfile.ZIP_DEFLATED),
    "compressed, of 64 bits": lambda folder: with_weights(folder, 30_000_000, zipfile.ZIP_DEFLATED, "f8"),
}


@pytest.mark.slow
@pytest.mark.skipif(not measurable(), reason="the system does not count a process' memory")
@pytest.mark.parametrize("make", FILES.values(), ids=FILES)
def test_reading_a_file_takes_no_more_memory_than_stated(make: Callable[[Path], Path], tmp_path: Path) -> None:
    taken, stated, _ = measured(make(tmp_path))
    assert taken <= stated


@pytest.mark.slow
@pytest.mark.skipif(not measurable(), reason="the system does not count a process' memory")
@pytest.mark.parametrize("make", WEIGHTS.values(), ids=WEIGHTS)
def test_reading_weights_takes_no_more_memory_than_stated(make: Callable[[Path], Path], tmp_path: Path) -> None:
    taken, stated, held = measured(make(tmp_path))
    assert held >= 120_000_000
    assert taken <= stated


def test_a_small_file_with_a_long_config_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = with_text(tmp_path, '"' + "x" * 40_000_000 + '"')
    assert path.stat().st_size < 100_000
    assert "bytes of memory" in refused(path, "KG110").what


def test_a_small_file_with_many_lists_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = with_text(tmp_path, "[" + "[]," * 1_000_000 + "1]")
    assert path.stat().st_size < 100_000
    assert "bytes of memory" in refused(path, "KG110").what


def test_an_archive_that_states_a_larger_size_of_its_config_may_take_no_more(tmp_path: Path) -> None:
    path = with_text(tmp_path, "[" + "[]," * 1_000_000 + "1]")
    content = bytearray(path.read_bytes())
    entry = content.find(b"PK\x01\x02")  # of the config, which is the first member
    content[entry + 20 : entry + 24] = (1 << 28).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(KgennError) as caught:
        load(path)
    (found,) = caught.value.diagnostics
    # zipfile itself finds that the member runs into the next one, from Python 3.11.8 and 3.12.2 on
    assert (found.code, "Overlapped" in found.what) == ("KG102", True) or "bytes of memory" in found.what


def test_a_config_of_a_thousand_layers_is_read_compressed_and_not(tmp_path: Path) -> None:
    relu = {"class_name": "ReLU", "module": "keras.layers", "registered_name": None, "build_config": {}}
    options = {"trainable": True, "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {}}}
    entries = [{**relu, "config": {**options, "name": f"l{i}", "note": " " * 400}} for i in range(1000)]
    config = {"class_name": "Sequential", "config": {"layers": entries, "build_input_shape": [None, 4]}}
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        assert len(load(archive(tmp_path, json.dumps(config), method)).nodes) == 1001


def test_compressed_weights_beyond_what_the_layers_need_are_refused(tmp_path: Path) -> None:
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file["more"] = np.zeros(30_000_000, np.float32)
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        new.writestr("config.json", json.dumps(config_of(layers())))
        new.writestr("model.weights.h5", weights.getvalue())
    assert "more than the" in refused(path, "KG102").what


def test_compressed_weights_that_cannot_be_unpacked_say_where_room_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = with_weights(tmp_path, 1000, zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(KgennError) as caught:
        load(path)
    assert caught.value.diagnostics[0].code == "KG609"
    assert "TMPDIR" in caught.value.diagnostics[0].help


def test_weights_that_are_not_compressed_are_read_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = with_weights(tmp_path, 1000, zipfile.ZIP_STORED)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    assert load(path).predict(np.ones((1, 1), np.float32)).shape == (1, 1000)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_changed_weights_are_noticed_by_their_checksum(method: int, tmp_path: Path) -> None:
    path = with_weights(tmp_path, 1000, method)
    content = bytearray(path.read_bytes())
    place = content.find(b"model.weights.h5") + 200
    content[place] ^= 1
    path.write_bytes(content)
    refused(path, "KG102")


def _bomb(file: h5py.File) -> None:
    """Store a chunk that is said to be an array and unpacks to 64 MiB."""
    del file["model_weights/conv/conv/w0"]
    dataset = file["model_weights/conv/conv"].create_dataset(
        "w0", (2, 2, 2, 3), "f4", chunks=(2, 2, 2, 3), compression="gzip"
    )
    dataset.id.write_direct_chunk((0, 0, 0, 0), zlib.compress(bytes(1 << 26)))


def test_a_chunk_that_unpacks_to_more_than_its_array_is_refused(tmp_path: Path) -> None:
    assert "has a chunk that unpacks to more" in refused(hdf5(tmp_path, _bomb), "KG106").what


def test_names_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    path = with_names(tmp_path)
    content = bytearray(path.read_bytes())
    # an attribute refers to a text by its length, its heap and its index there: let all names be the first
    first = content.find((60_000).to_bytes(4, "little"))
    content[first + 16 : first + 16 * 101] = content[first : first + 16] * 100
    path.write_bytes(content)
    assert "same bytes" in refused(path, "KG102").what
