"""Generated programs take samples as the model takes them: they transpose and rescale as kgenn's own host does."""

from __future__ import annotations

import ast
import ctypes
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from cuda_programs import build_executable as build_cuda

import kgenn
from beside import beside
from covering import leading
from genn_python import genn_python
from kgenn.backends.genn_program import MODEL, emit_genn
from kgenn.backends.input_context import scale_and_shift
from kgenn.ir.graph import Array, Graph
from kgenn.ir.network import Network
from kgenn.layers.affine import Normalization
from kgenn.layers.shape import Permute
from networks import Build, build, samples
from programs import WARNINGS, build_executable, emit, printed
from recordings import compiled

RANDOM = np.random.default_rng(5)


def table() -> tuple[Graph, Array]:
    """Return a network of six features of very different sizes, and samples."""
    sizes = 2.0 ** np.array([0, 12, -3, 20, 0, 7])
    b, x = Build("table", (6,)), RANDOM.uniform(-1, 1, (60, 6)) * sizes
    return b.graph(b.dense(b.relu(b.dense("input", 9)), 4)), x.astype(np.float32)


def image() -> tuple[Graph, Array]:
    """Return a network of two channels of very different sizes, which come first, and samples."""
    b = Build("image", (2, 4, 5))
    graph = b.graph(b.classify(b.conv_relu(b.add(Permute((1, 2, 0)), "input"), 3)))
    return graph, (samples(graph, 60) * np.array([1, 4096])[:, None, None]).astype(np.float32)


def columns() -> tuple[Graph, Array]:
    """Return a network whose input is normalised by column and then transposed, and samples."""
    b = Build("columns", (2, 3, 4))
    mean, variance = np.array([0.1, 0.5, -0.2, 0.3]), np.array([0.3, 1.7, 4.1, 0.9])
    moved = b.add(Permute((1, 2, 0)), b.add(Normalization(mean, variance), "input"))
    graph = b.graph(b.classify(b.conv_relu(moved, 3)))
    return graph, samples(graph, 60, -1.0, 1.0)


def of_networks(name: str) -> Callable[[], tuple[Graph, Array]]:
    return lambda: (build(name), samples(build(name), 60))


# what the model does to its input, or kgenn for it, and how many rows of scales that takes
MADE: dict[str, tuple[Callable[[], tuple[Graph, Array]], int]] = {
    "nothing": (of_networks("dense"), 1),
    "one scale": (of_networks("rescaling"), 1),
    "a scale for each channel": (of_networks("normalization"), 2),
    "a transposition": (of_networks("channels_first"), 1),
    "features far apart": (table, 6),
    "channels far apart, transposed": (image, 2),
    "a scale for each value": (columns, 24),
}
each = pytest.mark.parametrize("name", MADE)


@cache
def made(name: str) -> tuple[Network, Array]:
    """Return a network, and samples that its direct encoder takes."""
    graph, x = MADE[name][0]()
    allow = ("bias", "batch-norm")
    return kgenn.convert(graph, calibration=x, timesteps=32, allow=allow), x[:8]


@each
def test_scales_are_kept_once_for_all_that_share_them(name: str) -> None:
    network, _ = made(name)
    assert len(scale_and_shift(network.inputs[0])) == MADE[name][1]
    assert (network.inputs[0].transform.transposes, network.inputs[0].transform.rescales) == {
        "nothing": (False, False),
        "a transposition": (True, False),
        "channels far apart, transposed": (True, True),
        "a scale for each value": (True, True),
    }.get(name, (False, True))


def test_encoding_in_c_is_the_drive_of_the_network() -> None:
    networks = {name: made(name)[0] for name in MADE}
    network = beside(networks)
    x = np.concatenate([made(name)[1].reshape(8, -1) for name in MADE], axis=1)
    simulator = compiled(network)
    library, handle = simulator.library, ctypes.c_void_p(simulator.handle)  # type: ignore[attr-defined]
    library.kgenn_encode.restype = ctypes.c_int64
    drive = np.empty((len(x), network.num_inputs), np.float32)
    given, found = (ctypes.c_void_p(array.ctypes.data) for array in (x, drive))
    assert library.kgenn_encode(handle, given, ctypes.c_int64(x.size), found) == 0
    for name, alone in networks.items():
        columns = network.drive_columns[f"{name}.{alone.inputs[0].name}"]
        assert np.array_equal(drive[:, columns], alone.drive(made(name)[1])), name


@each
def test_encoding_in_genns_program_is_the_drive_of_the_network(name: str, tmp_path: Path) -> None:
    network, x = made(name)
    files = emit_genn(network, "cpu").files
    (tmp_path / "weights.npz").write_bytes(files["weights.npz"])
    encode = function_of(files[MODEL].decode(), tmp_path)
    assert np.array_equal(encode(x), network.drive(x))
    assert np.array_equal(encode(x.reshape(len(x), -1)), network.drive(x))


def function_of(program: str, here: Path) -> Callable[[Array], Array]:
    """Return the function of a GeNN program that encodes samples; the rest of it needs pygenn."""

    def kept(node: ast.stmt) -> bool:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.Tuple):
            return ast.unparse(node.targets[0]) in ("INPUT_SIZE", "LEVELS", "(LOW, HIGH)")
        return getattr(node, "name", "") == "encode"

    names = {"np": np, "HERE": here}
    exec(compile(ast.Module([node for node in ast.parse(program).body if kept(node)], []), MODEL, "exec"), names)
    return names["encode"]  # type: ignore[return-value]


# ---- whole programs, built and run as a user would


def scores_of(name: str) -> tuple[Network, Array, Array]:
    network, x = made(name)
    return network, x, kgenn.compile(network, "reference").evaluate(x).scores


def outputs_in(lines: list[str]) -> Array:
    return np.array([[float(value) for value in line.split()[1:]] for line in lines])


COMPILED = ("features far apart", "a scale for each value")
some = pytest.mark.parametrize("name", leading(sorted(MADE, key=COMPILED.__contains__, reverse=True)))


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
@some
def test_cpp_takes_samples_as_the_model_takes_them(name: str, tmp_path: Path) -> None:
    network, x, scores = scores_of(name)
    directory = emit(network, tmp_path)
    lines = printed(build_executable(directory, *WARNINGS), directory, x)
    np.testing.assert_allclose(outputs_in(lines), scores, rtol=2e-6, atol=1e-7)


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
@pytest.mark.slow
@each
def test_cuda_takes_samples_as_the_model_takes_them(name: str, tmp_path: Path) -> None:
    network, x, scores = scores_of(name)
    directory = emit(network, tmp_path, "cuda")
    np.testing.assert_allclose(
        outputs_in(printed(build_cuda(directory), directory, x)), scores, rtol=2e-6, atol=1e-7
    )


@pytest.mark.parametrize("name", COMPILED)
def test_genns_program_takes_samples_as_the_model_takes_them(name: str, tmp_path: Path) -> None:
    network, x, scores = scores_of(name)
    directory = emit(network, tmp_path, "genn-cpu")
    np.savez(directory / "samples.npz", x=x)
    command = [genn_python(), str(directory / MODEL), "--data", str(directory / "samples.npz")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line[0].isdigit()]
    np.testing.assert_allclose(outputs_in(lines), scores, rtol=2e-6, atol=1e-7)
