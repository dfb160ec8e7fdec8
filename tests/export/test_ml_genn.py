"""mlGeNN: on real mlGeNN the exported network gives kgenn's scores; elsewhere, what the program holds."""

from __future__ import annotations

import ast
import runpy
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from several_samples import several_samples

import kgenn
from kgenn.backends.genn_names import identifier
from kgenn.backends.reference import ReferenceSimulator
from kgenn.backends.render import render
from kgenn.diagnostics import KgennError
from kgenn.export.ml_genn import MlGenn, program
from kgenn.export.ml_genn_synapses import connectivity, synapses
from kgenn.ir.graph import Array
from kgenn.ir.network import Connection, Network
from kgenn.ir.scores import heads_of
from kgenn.passes import LoweringOptions
from looped import looped
from networks import RECIPES
from recordings import changing, converted, frames
from wide_pools import images, wide

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


def on_ml_genn(
    network: Network, x: Array, directory: Path, monkeypatch: pytest.MonkeyPatch, in_memory: bool = True
) -> Array:
    """Return the readout of real mlGeNN for each sample, one after another on GeNN's CPU backend."""
    reason = "mlGeNN is not installed: run the tests with the interpreter that has ml_genn"
    compilers = pytest.importorskip("ml_genn.compilers", reason=reason)
    monkeypatch.chdir(directory)  # GeNN writes its code there
    exported, first, last = kgenn.to_ml_genn(network)
    steps = network.num_timesteps + network.depths[network.populations[-1].name]
    compiler: Any = compilers.InferenceCompiler(
        evaluate_timesteps=steps, prefer_in_memory_connect=in_memory, backend="single_threaded_cpu"
    )
    compiled = compiler.compile(exported)
    with compiled:
        scores, _ = compiled.predict({first: x.reshape(len(x), *first.shape)}, last, callbacks=[])
    result: Array = scores[last].reshape(len(x), -1)
    return result


def assert_same_scores(
    network: Network,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    in_memory: bool = True,
    x: Array | None = None,
) -> None:
    x = inputs_of(network, 3) if x is None else x
    expected = (
        ReferenceSimulator(network).run(network.inputs[0].coding.drive(x.reshape(len(x), -1)), 0).scores[:, -1]
    )
    found = on_ml_genn(network, x, directory, monkeypatch, in_memory)
    rounded = any(network.has_double_currents(p) for p in network.populations)
    np.testing.assert_allclose(found, expected, rtol=1e-3 if rounded else 0)


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("name", FEW)
def test_ml_genn_gives_the_same_scores(
    name: str, in_memory: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_same_scores(converted(name, "if", readout="current"), tmp_path, monkeypatch, in_memory)


@pytest.mark.parametrize("name", ["dense", "residual_relu", "pool_conv"])
def test_neurons_start_from_potentials_of_their_own(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_same_scores(converted(name, "if", kgenn.Fission(), num_timesteps=6), tmp_path, monkeypatch)


def test_currents_that_mlgenn_rounds_change_scores_by_a_thousandth_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = wide(kgenn.DataNorm(), 10, "if")
    assert any(network.has_double_currents(p) for p in network.populations)
    assert_same_scores(network, tmp_path, monkeypatch, x=images(3, seed=5))


def test_the_usage_at_the_top_of_the_program_gives_the_models_outputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ml_genn", reason="mlGeNN is not installed")
    network = converted("pool_conv", "if")
    for name, content in MlGenn().emit(network, "net.py").files.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    module = runpy.run_path("net.py")
    usage = "\n".join(line for line in module["__doc__"].splitlines() if line.startswith("    "))
    x = inputs_of(network, 2)
    names = {**module, "x": x}
    exec(textwrap.dedent(usage), names)
    scores = ReferenceSimulator(network).run(network.inputs[0].coding.drive(x), 0).scores[:, -1]
    np.testing.assert_allclose(names["values"], module["outputs"](scores))


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
    expected = ReferenceSimulator(network).run(network.inputs[0].coding.drive(x), 0).scores[:, -1]
    found = on_ml_genn(network, x, tmp_path, monkeypatch)
    np.testing.assert_allclose(found, expected, atol=0.1 * np.abs(expected).max())


@looped("name", HELD)
def test_the_program_is_python_and_reads_what_the_file_holds(name: str) -> None:
    network = converted(name, "if")
    files = MlGenn().emit(network, "net.py").files
    assert list(files) == ["net.py", "net.npz"]
    tree = ast.parse(files["net.py"])
    read = {
        ast.literal_eval(node.slice)
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "arrays"
    }
    assert read == set(program(network, "net.npz")[1])
    assert MlGenn().emit(network, "net.py").files == files


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("conv_same", ["Convolution", "Convolution", "AvgPoolDense2D"]),
        ("pool_conv", ["Convolution", "PooledConvolution", "AvgPoolDense2D"]),
        ("dense", ["Dense", "Dense"]),
        ("residual_relu", ["Convolution", "Convolution", "OneToOne", "Convolution", "AvgPoolDense2D"]),
        ("conv_dilated", ["Synapses", "Synapses", "AvgPoolDense2D"]),
        ("conv_even_same", ["Synapses", "Synapses", "AvgPoolDense2D"]),
        ("conv_groups", ["Synapses", "Synapses", "AvgPoolDense2D"]),
        ("pool_overlapping", ["Convolution", "Synapses", "AvgPoolDense2D"]),
    ],
)
def test_mlgenns_own_connectivity_is_taken_where_it_is_the_same_map(name: str, expected: list[str]) -> None:
    source = program(converted(name, "if"), "net.npz")[0].decode()
    lines = [line for line in source.splitlines() if line.strip().startswith("Connection(")]
    assert [line.split(", ")[2].partition("(")[0] for line in lines] == expected


def listed(name: str) -> list[tuple[Connection, Any]]:
    """Return each connection of a network with what the program's own functions list."""
    found = []
    for connection in converted(name, "if").connections:
        expression = synapses("c", connection)
        functions: dict[str, Any] = {"np": np, "arrays": expression.arrays, "Synapses": lambda synapses: synapses}
        exec(render("python/synapses.py.j2", {"listed": expression.listed}), functions)
        found.append((connection, eval(f"{expression.source})", functions)))
    return found


@pytest.mark.slow
@looped("name", sorted(RECIPES))
def test_the_synapses_that_the_program_lists_are_the_map_and_no_pair_is_listed_twice(name: str) -> None:
    for connection, (before, after, weights) in listed(name):
        sizes = len(connection.fan_out()), connection.connectivity.num_targets
        matrix = np.zeros(sizes, np.float32)
        matrix[before, after] = weights
        np.testing.assert_array_equal(connection.apply(np.eye(len(matrix), dtype=np.float32)), matrix)
        assert len(set(zip(before.tolist(), after.tolist(), strict=True))) == len(weights)


def test_weights_that_mlgenns_division_would_round_are_listed() -> None:
    network = converted("pool_dense", "if")
    connection = next(c for c in network.connections if c.pool is not None)
    by_name = {p.name: p for p in network.populations}
    ends = by_name[connection.source], by_name[connection.target]
    assert connectivity("c", connection, *ends).source.startswith("AvgPoolDense2D")
    assert connection.pool is not None
    pool = replace(connection.pool, size=(3, 3), strides=(3, 3))
    values = np.arange((1 << 24) - connection.connectivity.weights.size, 1 << 24, dtype=np.float32)
    large = connection.connectivity.with_weights(values.reshape(connection.connectivity.weights.shape))
    assert not np.array_equal(values * np.float32(9) / np.float32(9), values)
    found = connectivity("c", replace(connection, connectivity=large, pool=pool), *ends)
    assert found.source.startswith("Synapses(")


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


def renamed(network: Network, name: str) -> Network:
    """Return the network with another name of its first population behind the input."""
    old = network.populations[1].name
    populations = tuple(replace(p, name=name) if p.name == old else p for p in network.populations)
    ends = {p.name: p.name for p in network.populations} | {old: name}
    connections = tuple(replace(c, source=ends[c.source], target=ends[c.target]) for c in network.connections)
    outputs = tuple(replace(output, population=ends[output.population]) for output in network.outputs)
    return replace(network, populations=populations, connections=connections, outputs=outputs)


def test_names_of_layers_cannot_leave_their_comment() -> None:
    source = program(renamed(converted("dense", "if"), 'x"""\nimport os'), 'a".npz')[0]
    assert b"import os" not in source
    ast.parse(source)


def test_populations_and_connections_have_the_names_of_the_layers() -> None:
    source = program(renamed(converted("dense", "if"), "block/1"), "net.npz")[0].decode()
    assert "block_1 = Population(" in source
    assert 'name="block_1",' in source
    assert 'name="input_to_block_1")' in source


def names_read(source: bytes) -> set[str]:
    """Return the names that the function which builds the network reads."""
    (build,) = (n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) and n.name == "build")
    return {n.id for n in ast.walk(build) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


@pytest.mark.slow
@looped("name", HELD)
def test_no_layer_takes_a_name_that_the_program_reads(name: str) -> None:
    network = converted(name, "if")
    source, _ = program(network, "net.npz")
    populations = {identifier(p.name) for p in network.populations}
    read = names_read(source) - populations
    assert read
    for word in (*read, "lambda"):
        changed, _ = program(renamed(network, word), "net.npz")
        assert f"{word}_2 = Population(".encode() in changed
        assert names_read(changed) - populations == read | {f"{word}_2"}


def test_a_missing_package_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ml_genn", None)
    with pytest.raises(KgennError, match="KG508"):
        kgenn.to_ml_genn(converted("dense", "if"))


def several(timesteps: int = 16) -> Network:
    """Return a network of two inputs with codings of their own, and three outputs, two of which read one layer."""
    keras.utils.set_random_seed(3)
    layers = keras.layers
    image, meta = keras.Input((6, 6, 2), name="image"), keras.Input((5,), name="the meta")
    seen = layers.Conv2D(3, 3, activation="relu", use_bias=False, name="conv")(image)
    told = layers.Dense(5, activation="relu", use_bias=False)(meta)
    joined = layers.Concatenate()([layers.Flatten()(seen), told])
    hidden = layers.Dense(8, activation="relu", use_bias=False, name="hidden")(joined)
    logits = layers.Dense(3, use_bias=False, name="logits")(hidden)
    outputs = [logits, layers.Softmax(name="digit")(logits), layers.Conv2D(2, 2, use_bias=False, name="map")(seen)]
    encoder: Any = {"image": kgenn.IntegrateFire(), "the meta": kgenn.Spike(binarise=0.5)}
    return kgenn.convert(
        keras.Model([image, meta], outputs),
        calibration=several_samples(64),
        timesteps=timesteps,
        encoder=encoder,
        readout="current",
        check=False,
    )


def used(network: Network, x: Any, directory: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the usage at the top of the program on samples; return the names that it leaves."""
    pytest.importorskip("ml_genn", reason="mlGeNN is not installed")
    for name, content in MlGenn().emit(network, "net.py").files.items():
        (directory / name).write_bytes(content)
    monkeypatch.chdir(directory)
    module = runpy.run_path("net.py")
    usage = "\n".join(line for line in module["__doc__"].splitlines() if line.startswith("    "))
    names = {**module, "x": x}
    exec(textwrap.dedent(usage), names)
    return names


def test_several_inputs_and_outputs_give_the_scores_of_the_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, x = several(), several_samples(3)
    names = used(network, x, tmp_path, monkeypatch)
    recording = ReferenceSimulator(network).run(network.drive(x), 0)
    for number, head in enumerate(heads_of(network)):
        expected = head.values(recording.scores[:, -1], network.num_timesteps)
        np.testing.assert_allclose(names[f"values_{number}"], expected, rtol=1e-5, atol=1e-7)


def test_frames_give_the_scores_of_the_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = changing(converted("skip_to_readout", "spike", readout="current"))
    x = frames(network, "spike", 3)
    names = used(network, x, tmp_path, monkeypatch)
    scores = ReferenceSimulator(network).run(network.drive(x), 0).scores[:, -1]
    np.testing.assert_allclose(names["values"], names["outputs"](scores))


def test_inputs_of_other_codings_have_neuron_models_of_their_own() -> None:
    source, _ = program(several(), "net.npz")
    tree = ast.parse(source)
    assigned = [
        n.targets[0].id for n in tree.body if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)
    ]
    assert len(assigned) == len(set(assigned))
    assert {"IF_ENCODER", "SPIKE", "INTEGRATE_FIRE"} <= set(assigned)
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert [name for name in functions if name.startswith("outputs")] == ["outputs_0", "outputs_1", "outputs_2"]
    assert b"{'image': image, 'the meta': the_meta}, {'logits': logits, 'digit': logits, 'map': map" in source


def test_an_input_that_changes_has_a_frame_for_each_timestep() -> None:
    network = changing(converted("skip_to_readout", "spike"))
    assert f"input_frames={network.num_timesteps}," in program(network, "net.npz")[0].decode()
    assert (
        b"input_frames=" not in program(converted("skip_to_readout", "spike"), "net.npz")[0].split(b"def build")[1]
    )
