"""The emitted C++: clean under warnings and sanitizers, needs no kgenn, and is safe against hostile names."""

from __future__ import annotations

import ctypes
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from beside import FEW, samples_of_several, several
from covering import leading
from kgenn.artifact.directory import Artifact, read_directory, write_artifact
from kgenn.backends import TARGETS
from kgenn.backends.base import RunOptions
from kgenn.backends.cpp import SOURCES, UNITS, toolchain
from kgenn.backends.cpp_library import CppSimulator, open_library
from kgenn.backends.cpp_program import FILES
from kgenn.backends.program_context import WEIGHTS
from kgenn.backends.reference import ReferenceSimulator
from kgenn.backends.render import label
from kgenn.backends.simulate import simulate
from kgenn.backends.toolchain import build as build_library
from kgenn.backends.weights_file import checksum
from kgenn.conversion.convert import convert_graph
from kgenn.conversion.recipe import recipe_of
from kgenn.ir.connectivity import Sparse
from kgenn.ir.graph import Array, Graph
from kgenn.ir.network import Network
from kgenn.ir.recording import RecordingOptions
from kgenn.ir.spike_sums import Resampling
from networks import ALLOW, ENCODERS, RECIPES, build, samples
from programs import WARNINGS, build_executable, classify, emit
from recordings import EVERYTHING, METHODS, assert_same, compiled, converted, drive_of, inputs_of

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")

# every kind of connection, with and without pooling, from every encoder
MIXED = [
    pytest.param("conv_conv", "direct", marks=pytest.mark.slow),
    ("concat_pool_conv", "poisson-signed"),
    *(
        pytest.param(name, encoder, marks=pytest.mark.slow)
        for name, encoder in (
            ("linear", "direct"),
            ("pool_input", "direct"),
            ("conv_groups", "spike"),
            ("residual_shortcut", "poisson-signed"),
            ("pool_add", "if"),
            ("wide_33", "if"),
        )
    ),
]


def classes(network: Network, x: Array) -> list[int]:
    recording = ReferenceSimulator(network).run(network.drive(x), 0)
    return [int(c) for c in recording.scores[:, -1].argmax(axis=1)]


def inputs(network: Network, encoder: str, count: int = 3) -> Array:
    _, low, high = ENCODERS[encoder]
    return (
        np.random.default_rng(9).uniform(0.9 * low, 0.9 * high, (count, *network.input_shape)).astype(np.float32)
    )


@pytest.mark.slow
@pytest.mark.parametrize(("name", "encoder"), MIXED)
def test_it_compiles_without_warnings_and_runs_clean_under_sanitizers(
    tmp_path: Path, name: str, encoder: str
) -> None:
    network = converted(name, encoder)
    directory = emit(network, tmp_path)
    program = build_executable(
        directory, *WARNINGS, "-O0", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"
    )
    x = inputs(network, encoder)
    assert classify(program, directory, x) == classes(network, x)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "encoder"),
    [
        ("few-spike", "few-spike"),
        pytest.param("ttfs", "direct", marks=pytest.mark.slow),
        pytest.param("burst", "poisson-signed", marks=pytest.mark.slow),
        pytest.param("calibrated", "direct", marks=pytest.mark.slow),
    ],
)
def test_every_method_compiles_without_warnings_and_runs_clean(tmp_path: Path, method: str, encoder: str) -> None:
    converter, lengths = METHODS[method]
    network = converted("max_pool_skip", encoder, converter, num_timesteps=lengths[0])
    directory = emit(network, tmp_path)
    program = build_executable(
        directory, *WARNINGS, "-O0", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"
    )
    x = inputs_of(network, encoder)
    assert classify(program, directory, x) == classes(network, x)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "encoder"), [("residual_shortcut", "poisson"), ("concat_conv", "direct")])
def test_other_optimisation_levels_print_the_same_classes(tmp_path: Path, name: str, encoder: str) -> None:
    network = converted(name, encoder)
    directory = emit(network, tmp_path)
    x = inputs(network, encoder)
    for flags in (("-O0",), ("-O3", "-march=native")):
        assert classify(build_executable(directory, *flags), directory, x) == classes(network, x)


@pytest.mark.skipif(shutil.which("clang++") is None, reason="needs clang++")
def test_clang_compiles_it_too(tmp_path: Path) -> None:
    directory = emit(converted("residual_shortcut", "poisson"), tmp_path)
    command = ["clang++", "-std=c++17", "-O1", *WARNINGS, "-c", "-o", "/dev/null", str(directory / "network.cpp")]
    subprocess.run(command, check=True)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs cmake")
def test_the_directory_builds_with_cmake(tmp_path: Path) -> None:
    network = converted("residual_shortcut", "poisson")
    directory = emit(network, tmp_path / "source")
    made = tmp_path / "made"
    for command in (["cmake", "-S", str(directory), "-B", str(made)], ["cmake", "--build", str(made)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    x = inputs(network, "poisson")
    assert classify(made / "kgenn_classify", directory, x) == classes(network, x)


def test_the_header_is_plain_c(tmp_path: Path) -> None:
    directory = emit(converted("dense"), tmp_path)
    (tmp_path / "use.c").write_text('#include "kgenn_network.h"\nint main(void) { return KGENN_OK; }\n')
    compiler = shutil.which("gcc") or pytest.skip("needs gcc")
    command = [compiler, "-std=c99", *WARNINGS, "-fsyntax-only", str(directory / "use.c")]
    subprocess.run(command, check=True)


def test_the_program_refuses_what_it_cannot_run(tmp_path: Path) -> None:
    network = converted("dense", "poisson")
    directory = emit(network, tmp_path)
    program = build_executable(directory, *WARNINGS)
    (directory / "samples.f32").write_bytes(np.full(7, 2.0, np.float32).tobytes())

    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, cwd=directory)
        return done.returncode, done.stderr

    assert run()[0] == 2
    size = "the file is not of the size of this network's weights"
    assert run("samples.f32", "samples.f32") == (1, f"samples.f32: {size}\n")
    assert run("nowhere", "samples.f32") == (1, "nowhere: cannot be opened: No such file or directory\n")
    words = bytearray((directory / WEIGHTS).read_bytes())
    words[-4] ^= 1
    (directory / "changed").write_bytes(words)
    changed = "the weights were changed: their checksum does not hold"
    assert run("changed", "samples.f32") == (1, f"changed: {changed}\n")
    words[4] ^= 1
    (directory / "other").write_bytes(words)
    other = "these weights belong to another network: build the sources that were written with them"
    assert run("other", "samples.f32") == (1, f"other: {other}\n")
    assert run("weights.bin", "missing") == (1, "missing: cannot be read\n")
    assert run("weights.bin", "samples.f32") == (1, "sample 0 has values outside the encoder's range\n")


@pytest.mark.slow
def test_forged_weights_lead_nowhere(tmp_path: Path) -> None:
    network = converted("conv_conv", "poisson-signed")
    sparse = next(kind for c in network.connections if isinstance(kind := c.connectivity, Sparse))
    genuine = np.frombuffer((emit(network, tmp_path) / WEIGHTS).read_bytes(), "<u4")
    library = compiled(network).library  # type: ignore[attr-defined]

    def place(array: Array) -> int:
        return genuine.tobytes().index(np.ascontiguousarray(array, "<i4").tobytes()) // 4

    def is_taken(**forged: int) -> bool:
        words = genuine.copy()
        for name, value in forged.items():
            words[places[name]] = value & 0xFFFFFFFF
        words[places["checksum"]] = checksum(words)
        handle = library.kgenn_create(words.tobytes(), words.nbytes)
        if handle:
            library.kgenn_close(handle)
        return bool(handle)

    start, target = place(sparse.indptr), place(sparse.indices)
    places = {"checksum": 3, "timesteps": 4, "start": start, "second": start + 1, "target": target}
    places["end"] = start + sparse.num_sources
    assert is_taken()
    assert is_taken(target=sparse.num_targets - 1)
    assert not is_taken(target=sparse.num_targets)
    assert not is_taken(target=-1)
    assert not is_taken(start=-1)
    assert not is_taken(second=len(sparse.indices) + 1)
    assert not is_taken(end=len(sparse.indices) + 1)
    assert not is_taken(timesteps=0)
    assert not is_taken(timesteps=-1)


@pytest.mark.slow
def test_forged_maps_of_axes_lead_nowhere(tmp_path: Path) -> None:
    network = converted("upsample_bilinear_conv", "poisson")
    stage = next(c.pool for c in network.connections if isinstance(c.pool, Resampling))
    words = np.frombuffer((emit(network, tmp_path) / WEIGHTS).read_bytes(), "<u4").copy()
    library = compiled(network).library  # type: ignore[attr-defined]
    place = words.tobytes().index(np.ascontiguousarray(stage.rows.start, "<i4").tobytes()) // 4
    last = stage.in_shape[0] - stage.rows.taps.shape[1]
    for start, taken in ((0, True), (last, True), (last + 1, False), (-1, False)):
        words[place] = start & 0xFFFFFFFF
        words[3] = checksum(words)
        handle = library.kgenn_create(words.tobytes(), words.nbytes)
        assert bool(handle) == taken
        if handle:
            library.kgenn_close(handle)


def encode(network: Network, x: Array) -> tuple[int, Array]:
    """Return how many inputs the program calls illegal, and the drive that it makes of them."""
    simulator = compiled(network)
    library, handle = simulator.library, ctypes.c_void_p(simulator.handle)  # type: ignore[attr-defined]
    library.kgenn_encode.restype = ctypes.c_int64
    library.kgenn_num_timesteps.restype = ctypes.c_int32
    assert library.kgenn_num_timesteps(handle) == network.num_timesteps
    found = np.empty(x.shape, np.float32)
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (x, found)]
    return library.kgenn_encode(handle, pointers[0], ctypes.c_int64(x.size), pointers[1]), found


def test_encoding_in_c_is_the_drive_of_the_network() -> None:
    network = several()
    samples = samples_of_several(network, count=50)
    x = np.concatenate([samples[given.name].reshape(50, -1) for given in network.inputs], axis=1)
    outside, drive = encode(network, x)
    assert outside == 0
    assert np.array_equal(drive, network.drive(samples))
    for name, columns in network.drive_columns.items():
        wrong = x.copy()
        wrong[0, columns.start : columns.start + 3] = (np.nan, np.inf, -np.inf)
        assert encode(network, wrong)[0] == 3, name


@pytest.mark.slow
def test_encoding_in_c_takes_nothing_between_two_binary_values() -> None:
    base = converted("dense", "spike")
    given = replace(base.inputs[0], coding=replace(base.inputs[0].coding, binarise=None))
    network = replace(base, inputs=(given,))
    x = np.array([[0, 1, 0.5, 1, 0, -1, 2]], np.float32)
    assert encode(network, x)[0] == 3


HOSTILE = [
    "line\nbreak();",
    "a */ int main() { return 1; } /*",
    "ends in a backslash \\",
    "quote \" and ' and `",
    "../../etc/passwd",
    "{{ 7 * 7 }}{% raw %}",
    "??/",
    "tab\tand\rreturn\0",
    "naïve 層 \u202e",
    "#define Population",
    "x" * 5000,
    "",
    " ",
]


def renamed(graph: Graph) -> Graph:
    """Return the graph with hostile names for the model and all of its layers."""
    names = {node.name: f"{HOSTILE[i % len(HOSTILE)]}{i}\\" for i, node in enumerate(graph.nodes)}
    nodes = tuple(
        replace(n, name=names[n.name], origin=names[n.name], inputs=tuple(names[s] for s in n.inputs))
        for n in graph.nodes
    )
    return Graph(
        "*/ \\\n#error hostile",
        nodes,
        tuple(replace(o, name=names[o.node], node=names[o.node]) for o in graph.outputs),
    )


@pytest.mark.slow
def test_hostile_names_do_no_harm(tmp_path: Path) -> None:
    plain = build("residual_plain")
    graph = renamed(plain)
    encoder, low, high = ENCODERS["poisson"]
    x = samples(graph, 8, low, high)
    network = convert_graph(graph, recipe_of(None, encoder, ALLOW), x, 20, simulate).network
    directory = emit(network, tmp_path / "out")
    assert sorted(p.name for p in directory.iterdir()) == sorted([*FILES, WEIGHTS])
    for name in FILES:
        text = (directory / name).read_text()
        assert text.isascii()
        assert "\\\n" not in text
        assert "#error" not in text
        assert max(map(len, text.splitlines())) < 400
    program = build_executable(directory, *WARNINGS)
    assert classify(program, directory, x) == classes(network, x)
    drive = network.drive(x)
    assert_same(ReferenceSimulator(network).run(drive, 0, EVERYTHING), compiled(network).run(drive, 0, EVERYTHING))
    write_artifact(tmp_path / "artifact", Artifact(network, "cpu").files(TARGETS.get("cpu")().emit(network)))
    assert [p.name for p in read_directory(tmp_path / "artifact").network.populations] == [
        p.name for p in network.populations
    ]


@pytest.mark.parametrize("name", HOSTILE)
def test_labels_are_short_words_of_harmless_characters(name: str) -> None:
    text = label(name)
    assert len(text) <= 120
    assert text.isascii()
    assert not set(text) & set("*\\\n\r\"'{}%#`\0")
    assert "/*" not in text
    assert "*/" not in text


def sources(network: Network) -> dict[str, bytes]:
    return {k: v for k, v in TARGETS.get("cpu")().emit(network).files.items() if k != WEIGHTS}


# first the networks that have every kind of connection and population
@pytest.mark.parametrize("name", leading(sorted(RECIPES, key=lambda name: name not in FEW), len(FEW)))
def test_sources_depend_on_the_structure_alone(name: str) -> None:
    base = converted(name, "poisson")
    weights = tuple(
        replace(c, connectivity=c.connectivity.with_weights(c.connectivity.weights + 1)) for c in base.connections
    )
    other = replace(base, connections=weights, num_timesteps=99, seed=8)
    assert sources(other) == sources(base)
    assert TARGETS.get("cpu")().emit(other).files[WEIGHTS] != TARGETS.get("cpu")().emit(base).files[WEIGHTS]


def test_sources_name_no_place_on_the_machine_that_wrote_them() -> None:
    for content in sources(converted("residual_shortcut", "poisson")).values():
        assert str(Path.home()).encode() not in content
        assert json.dumps(str(Path.cwd()))[1:-1].encode() not in content


@pytest.mark.slow
@pytest.mark.parametrize(("method", "encoder"), [("burst", "poisson"), ("few-spike", "direct")])
def test_totals_are_the_counts_of_all_samples_however_often_they_are_moved(method: str, encoder: str) -> None:
    converter, lengths = METHODS[method]
    network = converted("residual_relu", encoder, converter, num_timesteps=lengths[0])
    drive = drive_of(network, encoder, 50)
    expected = ReferenceSimulator(network).run(drive, 0, RecordingOptions(curve=False))
    files = dict(TARGETS.get("cpu")().emit(network).files)
    often = files["network.cpp"].replace(b"int64_t{1} << 24", b"int64_t{1} << 5")
    assert often != files["network.cpp"]
    for text in (files["network.cpp"], often):
        library = open_library(
            build_library({**{name: files[name] for name in SOURCES}, "network.cpp": text}, UNITS, toolchain())
        )
        for threads in (1, 3):
            simulator = CppSimulator(network, library, files[WEIGHTS], RunOptions(threads))
            together = simulator.run(drive, 0, RecordingOptions(curve=False, per_sample=False))
            assert np.array_equal(together.scores, expected.scores)
            for name, counts in expected.spike_counts.items():
                assert np.array_equal(together.spike_counts[name], counts.sum(axis=0, keepdims=True))
