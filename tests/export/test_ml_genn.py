"""mlGeNN: on real mlGeNN the exported network gives kgenn's scores; elsewhere, what the program holds."""

from __future__ import annotations

import ast
import runpy
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kgenn
from kgenn.backends.reference import ReferenceSimulator
from kgenn.diagnostics import KgennError
from kgenn.export.ml_genn import MlGenn, program
from kgenn.export.ml_genn_synapses import synapses
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from kgenn.passes import LoweringOptions
from networks import RECIPES
from recordings import converted
from wide_pools import wide

# the model transposes or rescales its input
PREPARED = ["channels_first", "channels_first_residual", "normalization", "rescaling"]
HELD = sorted(set(RECIPES) - set(PREPARED))
# every kind of connectivity, delays, biases, and an image of rank 2
FEW = [
    "dense",
    "conv_same",
    "conv_dilated",
    "pool_conv",
    "pool_dense",
    "residual_relu",
    "bias_conv",
    "conv1d_pool",
]


def inputs_of(network: Network, count: int) -> Array:
    size = (count, *network.populations[0].shape)
    return np.random.default_rng(2).uniform(0, 1, size).astype(np.float32)


def on_ml_genn(network: Network, x: Array, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Array:
    """Return the readout of real mlGeNN for each sample, one after another on GeNN's CPU backend."""
    reason = "mlGeNN is not installed: run the tests with the interpreter that has ml_genn"
    compilers = pytest.importorskip("ml_genn.compilers", reason=reason)
    monkeypatch.chdir(directory)  # GeNN writes its code there
    exported, first, last = kgenn.to_ml_genn(network)
    steps = network.num_timesteps + network.depths[network.populations[-1].name]
    # sparse matrices of convolutions abort GeNN's CPU backend where kernels differ in size
    compiler: Any = compilers.InferenceCompiler(
        evaluate_timesteps=steps, prefer_in_memory_connect=False, backend="single_threaded_cpu"
    )
    compiled = compiler.compile(exported)
    with compiled:
        scores, _ = compiled.predict({first: x.reshape(len(x), *first.shape)}, last, callbacks=[])
    result: Array = scores[last].reshape(len(x), -1)
    return result


def assert_same_scores(network: Network, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = inputs_of(network, 3)
    expected = ReferenceSimulator(network).run(network.coding.drive(x.reshape(len(x), -1)), 0).scores[:, -1]
    found = on_ml_genn(network, x, directory, monkeypatch)
    rounded = any(network.has_double_currents(p) for p in network.populations)
    np.testing.assert_allclose(found, expected, rtol=1e-3 if rounded else 0)


@pytest.mark.parametrize("name", FEW)
def test_ml_genn_gives_the_same_scores(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_same_scores(converted(name, "if", readout="current"), tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(HELD) - set(FEW)))
def test_ml_genn_gives_the_same_scores_for_all(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_same_scores(converted(name, "if"), tmp_path, monkeypatch)


@pytest.mark.parametrize("encoder", ["if", "spike"])
def test_spike_counts_and_populations_of_pooling(
    encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lowering = LoweringOptions("identity", "population")
    network = converted("residual_plain", encoder, None, lowering, "spike-count")
    assert_same_scores(network, tmp_path, monkeypatch)


def test_the_program_and_its_weights_build_the_network(tmp_path: Path) -> None:
    pytest.importorskip("ml_genn", reason="mlGeNN is not installed")
    network = converted("pool_conv", "if")
    for name, content in MlGenn().emit(network, "net.py").files.items():
        (tmp_path / name).write_bytes(content)
    built, first, last = runpy.run_path(str(tmp_path / "net.py"))["load"]()
    assert [p.shape for p in built.populations] == [p.shape for p in network.populations]
    assert (first, last) == (built.populations[0], built.populations[-1])
    assert len(built.connections) == len(network.connections)


def test_poisson_inputs_fire_at_the_same_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = converted("dense", "poisson", readout="current", num_timesteps=400)
    x = inputs_of(network, 2)
    expected = ReferenceSimulator(network).run(network.coding.drive(x), 0).scores[:, -1]
    found = on_ml_genn(network, x, tmp_path, monkeypatch)
    np.testing.assert_allclose(found, expected, atol=0.1 * np.abs(expected).max())


@pytest.mark.parametrize("name", HELD)
def test_the_program_is_python_and_reads_what_the_file_holds(name: str) -> None:
    network = converted(name, "if")
    files = MlGenn().emit(network, "net.py").files
    assert list(files) == ["net.py", "net.npz"]
    tree = ast.parse(files["net.py"])
    read = {
        node.slice.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)
    }
    assert read == set(program(network, "net.npz")[1])
    assert MlGenn().emit(network, "net.py").files == files


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("conv_same", ["Conv2D", "Conv2D", "AvgPoolDense2D"]),
        ("pool_conv", ["Conv2D", "AvgPoolConv2D", "AvgPoolDense2D"]),
        ("dense", ["Dense", "Dense"]),
        ("residual_relu", ["Conv2D", "Conv2D", "OneToOne", "Conv2D", "AvgPoolDense2D"]),
        ("conv_dilated", ["Synapses", "Synapses", "AvgPoolDense2D"]),
        ("conv_even_same", ["Synapses", "Synapses", "AvgPoolDense2D"]),
        ("conv_groups", ["Synapses", "Synapses", "AvgPoolDense2D"]),
        ("pool_overlapping", ["Conv2D", "Synapses", "AvgPoolDense2D"]),
    ],
)
def test_mlgenns_own_connectivity_is_taken_where_it_is_the_same_map(name: str, expected: list[str]) -> None:
    source = program(converted(name, "if"), "net.npz")[0].decode()
    lines = [line for line in source.splitlines() if line.strip().startswith("Connection(")]
    assert [line.split(", ")[2].partition("(")[0] for line in lines] == expected


@pytest.mark.parametrize("name", ["conv_groups", "pool_overlapping", "conv_dilated"])
def test_a_list_of_synapses_is_the_map(name: str) -> None:
    connection = converted(name, "if").connections[1]
    before, after, weights = synapses(connection)
    matrix = np.zeros((len(connection.fan_out()), connection.connectivity.num_targets), np.float32)
    np.add.at(matrix, (before, after), weights)
    np.testing.assert_array_equal(connection.apply(np.eye(len(matrix), dtype=np.float32)), matrix)


def test_everything_that_mlgenn_cannot_hold_is_named_in_one_error() -> None:
    with pytest.raises(KgennError) as error:
        kgenn.to_ml_genn(converted("rescaling", "direct"))
    assert [(d.code, d.where) for d in error.value.diagnostics] == [("KG411", "input")] * 2
    with pytest.raises(KgennError, match="carry a value"):
        kgenn.to_ml_genn(converted("dense", "poisson-signed"))


def test_currents_that_mlgenn_rounds_are_named_in_the_program() -> None:
    network = wide(kgenn.DataNorm(), 10, "if")
    rounded = [p.name for p in network.populations if network.has_double_currents(p)]
    assert rounded
    for name in rounded:
        assert name in ast.get_docstring(ast.parse(program(network, "net.npz")[0])).splitlines()[-1]  # type: ignore[operator,union-attr]
    assert b"float64" not in program(converted("dense", "if"), "net.npz")[0]


def test_names_of_layers_cannot_leave_their_comment() -> None:
    network = converted("dense", "if")
    first = replace(network.populations[1], name='x"""\nimport os')
    renamed = {network.populations[1].name: first.name}
    connections = tuple(
        replace(c, source=renamed.get(c.source, c.source), target=renamed.get(c.target, c.target))
        for c in network.connections
    )
    populations = (network.populations[0], first, *network.populations[2:])
    source = program(replace(network, populations=populations, connections=connections), 'a".npz')[0]
    assert b"import os" not in source
    ast.parse(source)


def test_a_missing_package_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ml_genn", None)
    with pytest.raises(KgennError, match="KG508"):
        kgenn.to_ml_genn(converted("dense", "if"))
