"""A model's final activation runs on the host: in results and in every generated program, as Keras computes it."""

from __future__ import annotations

import ast
import json
import math
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from cuda_programs import build_executable as build_cuda

import kgenn
from covering import covering, leading
from kgenn.artifact.directory import Artifact, read_directory, write_artifact
from kgenn.backends import TARGETS
from kgenn.conversion.constraints import violations
from kgenn.diagnostics import KgennError
from kgenn.encoders.poisson import Poisson
from kgenn.export.ml_genn import MlGenn
from kgenn.ir.graph import Array, Graph, Layer
from kgenn.ir.network import Network
from kgenn.ir.output_activation import FORMULAS, POSITIVE, OutputActivation, elementwise
from kgenn.layers.activation import Activation, ReLU, Softmax
from kgenn.layers.affine import Rescaling
from kgenn.layers.shape import Permute
from kgenn.layers.sparsemax import Sparsemax
from kgenn.tasks.base import SIGMOIDS
from networks import Build, samples
from programs import WARNINGS, build_executable, emit, printed

# the final layers of a model: each element-wise function, every kind of ReLU, softmaxes, chains of them
ENDS: dict[str, tuple[Layer, ...]] = {
    **{name: (Activation(name),) for name in FORMULAS if name != "relu"},
    "relu": (ReLU(),),
    "relu6": (ReLU(0.4),),
    "leaky": (ReLU(None, 0.3),),
    "threshold": (ReLU(0.9, 0.1, 0.2),),
    "softmax": (Softmax(),),
    "log_softmax": (Softmax(is_log=True),),
    "sparsemax": (Sparsemax(),),
    "relu softmax": (ReLU(), Softmax()),
    "softmax tanh": (Softmax(), Activation("tanh")),
    "none": (),
}
MAPS: dict[str, tuple[Layer, ...]] = {
    "softmax of channels": (Softmax(),),
    "softmax of columns": (Softmax(-2),),
    "log_softmax of columns": (Softmax(-2, is_log=True),),
    "sparsemax of rows": (Sparsemax(-3),),
    "softmax of rows": (Softmax(-3),),
    "channels first": (Activation("sigmoid"), Permute((2, 0, 1))),
}
# functions of keras.activations that need arguments
PARTIAL = ("relu", "threshold")
POINTS = np.concatenate([np.linspace(-30, 30, 1201), [-80, 0, 80]]).astype(np.float32)


def ended(layers: tuple[Layer, ...], outputs: int = 4) -> Graph:
    """Return a small network of vectors that ends in some layers."""
    b = Build("ended", (7,))
    x = b.dense(b.relu(b.dense("input", 9, bias=True)), outputs, bias=True)
    for layer in layers:
        x = b.add(layer, x)
    return b.graph(x)


def with_activations(network: Network, *activations: OutputActivation) -> Network:
    """Return the network with other activations of its only output."""
    return replace(network, outputs=(replace(network.outputs[0], activations=activations),))


def mapped(layers: tuple[Layer, ...]) -> Graph:
    """Return a small network of images that ends in some layers."""
    b = Build("mapped", (4, 5, 2))
    x = b.conv(b.conv_relu("input", 3), 3, bias=True)
    for layer in layers:
        x = b.add(layer, x)
    return b.graph(x)


@cache
def converted(end: str, outputs: int = 4, readout: str = "late-current") -> tuple[Graph, Network]:
    graph = mapped(MAPS[end]) if end in MAPS else ended(ENDS[end], outputs)
    allow = ("bias", "relu-cap")
    network = kgenn.convert(graph, calibration=samples(graph, 40), timesteps=64, allow=allow, readout=readout)  # type: ignore[arg-type]
    return graph, network


each_end = pytest.mark.parametrize("end", [*ENDS, *MAPS])


# ---- the functions


@pytest.mark.parametrize(
    "name", [name for name in FORMULAS if name in dir(keras.activations) and name not in PARTIAL]
)
def test_each_function_is_keras_function_of_that_name(name: str) -> None:
    # tf.nn.elu and its like lose digits near 0 in float32; the host has float64
    expected = np.asarray(keras.activations.get(name)(POINTS.astype(np.float64)))
    np.testing.assert_allclose(elementwise(name, POINTS), expected, rtol=3e-6, atol=3e-7)
    np.testing.assert_allclose(elementwise(name, POINTS.astype(np.float64)), expected, rtol=3e-6, atol=3e-7)


@pytest.mark.parametrize("layer", [end[0] for end in ENDS.values() if end and isinstance(end[0], ReLU)])
def test_a_relu_on_the_host_is_keras_layer(layer: ReLU) -> None:
    twin = keras.layers.ReLU(layer.max_value, layer.negative_slope, layer.threshold)
    np.testing.assert_allclose(layer.on_host().apply(POINTS), np.asarray(twin(POINTS)), rtol=1e-6)


@pytest.mark.parametrize("name", [name for name, formula in FORMULAS.items() if formula.increasing])
def test_a_function_that_says_so_increases(name: str) -> None:
    values = elementwise(name, np.linspace(1e-3 if name in POSITIVE else -5, 5, 1001))
    assert (np.diff(values) > 0).all()


# ---- results


@each_end
def test_scores_are_the_models_outputs(end: str) -> None:
    graph, network = converted(end)
    x = samples(graph, 30, seed=8)
    result = kgenn.compile(network, "reference").evaluate(x)
    model = graph.predict(x)
    assert isinstance(model, np.ndarray)
    expected = model.reshape(30, -1)
    error = np.sqrt(np.square(result.scores - expected).mean())
    assert error < 0.1 * np.sqrt(np.square(expected).mean())


@each_end
def test_scores_are_the_activation_of_the_linear_networks_scores(end: str) -> None:
    graph, network = converted(end)
    x = samples(graph, 12, seed=8)
    with_it, without = (
        kgenn.compile(net, "reference").evaluate(x) for net in (network, with_activations(network))
    )
    values = without.scores.reshape(12, *network.populations[-1].shape)
    for layer in MAPS.get(end, ENDS.get(end, ())):
        if not isinstance(layer, Permute):
            values = layer.forward(values)
    np.testing.assert_allclose(with_it.scores, values.reshape(12, -1), rtol=1e-4, atol=1e-6)
    assert with_it.spikes == without.spikes


@pytest.mark.parametrize(("readout", "end"), covering(["late-current", "current"], ENDS))
def test_predictions_are_the_largest_score(end: str, readout: str) -> None:
    graph, network = converted(end, readout=readout)
    result = kgenn.compile(network, "reference").evaluate(samples(graph, 30, seed=8), task="classes")
    assert np.array_equal(result.predictions, result.scores.argmax(axis=1))


def test_a_function_that_does_not_keep_the_order_decides_at_every_step() -> None:
    graph, network = converted("gelu")
    x = samples(graph, 30, seed=8)
    y = graph.predict(x).argmax(axis=1)  # type: ignore[union-attr]
    curve = kgenn.compile(network, "reference").evaluate(x, y).curve
    assert curve is not None
    shorter = kgenn.compile(replace(network, num_timesteps=9), "reference").evaluate(x, y)
    assert shorter.accuracy == pytest.approx(curve[8])


@pytest.mark.slow
@pytest.mark.parametrize("end", leading(["sigmoid", "relu sigmoid"]))
def test_a_single_sigmoid_has_two_classes_apart_at_one_half(end: str) -> None:
    linear = ended((), outputs=1)
    x = samples(linear, 60, -1.0, 1.0)
    balanced = Rescaling(np.ones(()), -np.median(linear.predict(x)))  # type: ignore[arg-type]
    layers = (Activation("sigmoid"),) if end == "sigmoid" else (ReLU(None, 0.5), Activation("sigmoid"))
    graph = ended((balanced, *layers), outputs=1)
    probability = graph.predict(x)[:, 0]  # type: ignore[call-overload]
    labels = (probability > 0.5).astype(int)
    assert labels.sum() == 30
    network = kgenn.convert(graph, calibration=x, timesteps=256, allow=("bias",))
    compiled = kgenn.compile(network, "reference")
    result = compiled.evaluate(x, labels)
    assert np.array_equal(result.predictions, result.scores[:, 0] > 0.5)
    assert result.accuracy is not None
    assert result.accuracy > 0.9
    compared = compiled.compare(x, labels)
    assert compared.ann_value is not None
    assert compared.ann_value > 0.95
    searched = kgenn.convert(graph, calibration=x, labels=labels, timesteps="auto", loss=5.0, allow=("bias",))
    assert searched.origin["search"]["loss"] <= 5


def test_the_output_of_a_regression_has_no_classes() -> None:
    _, network = converted("none", outputs=1)
    result = kgenn.compile(network, "reference").evaluate(np.zeros((3, 7), np.float32), np.array([0, 1, 1]))
    assert (result.accuracy, result.metric) == (None, "mse")


# ---- what cannot be left to the host


@pytest.mark.parametrize("layer", [Softmax(), Activation("tanh"), ReLU(None, 0.2)])
def test_an_activation_inside_is_refused_and_the_same_one_at_the_end_is_not(layer: Layer) -> None:
    b = Build("inside", (7,))
    inside = b.graph(b.dense(b.add(layer, b.dense("input", 4)), 3))
    codes = [d.code for d in violations(inside, kgenn.DataNorm(), ())]
    assert codes in (["KG202"], ["KG211"])
    assert violations(ended((layer,)), kgenn.DataNorm(), ("bias",)) == []


@pytest.mark.parametrize("end", ["sigmoid", "leaky", "relu softmax", "relu"])
def test_spike_counts_go_with_a_relu_and_a_softmax_alone(end: str) -> None:
    if end in ("sigmoid", "leaky"):
        with pytest.raises(KgennError, match=r"KG302.*\n.*readout=\"current\""):
            converted(end, readout="spike-count")
        return
    graph, network = converted(end, readout="spike-count")
    scores = kgenn.compile(network, "reference").evaluate(samples(graph, 5)).scores
    assert (scores >= 0).all()
    assert network.outputs[0].activations == ((Softmax().on_host(),) if end == "relu softmax" else ())


# ---- directories


def directory_of(network: Network, place: Path) -> Path:
    files = Artifact(network, "reference").files(TARGETS.get("reference")().emit(network))
    write_artifact(place, files)
    return place


def changed(directory: Path, change: Any) -> None:
    manifest = json.loads((directory / "manifest.json").read_text())
    change(manifest["network"])
    (directory / "manifest.json").write_text(json.dumps(manifest))


@each_end
def test_a_directory_keeps_the_activations(end: str, tmp_path: Path) -> None:
    _, network = converted(end)
    stored = read_directory(directory_of(network, tmp_path / "snn")).network
    assert stored.outputs[0].activations == network.outputs[0].activations


def test_a_directory_of_an_earlier_version_has_none(tmp_path: Path) -> None:
    directory = directory_of(converted("softmax")[1], tmp_path / "snn")
    changed(directory, lambda plain: plain["outputs"][0].pop("activations"))
    assert read_directory(directory).network.outputs[0].activations == ()


BAD = [
    OutputActivation("import os"),
    OutputActivation("sigmoid", {"x": 1.0}),
    OutputActivation("softmax"),
    OutputActivation("softmax", {"axis": 0}),
    OutputActivation("softmax", {"axis": -2}),
    OutputActivation("softmax", {"axis": -0.5}),
]


@pytest.mark.parametrize("bad", BAD, ids=repr)
def test_an_activation_that_kgenn_lacks_is_kg605(bad: OutputActivation, tmp_path: Path) -> None:
    network = with_activations(converted("softmax")[1], bad)
    with pytest.raises(KgennError, match=r"KG605.*output activation"):
        read_directory(directory_of(network, tmp_path / "snn"))


# ---- generated programs


def told(lines: list[str], size: int) -> tuple[list[int] | None, Array]:
    """Return the classes, where an output has any, and the outputs of a size that a program printed."""
    fields = [line.split() for line in lines]
    if len(fields[0]) == size:
        return None, np.array([[float(v) for v in line] for line in fields])
    return [int(first) for first, *_ in fields], np.array([[float(v) for v in rest] for _, *rest in fields])


# one for each thing that the template distinguishes; the rest differ in an expression
COMPILED = ("threshold", "softmax tanh", "softmax of columns", "log_softmax of columns", "sparsemax of rows")


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
@pytest.mark.parametrize("end", leading(sorted((*ENDS, *MAPS), key=lambda end: end not in COMPILED)))
def test_cpp_prints_the_outputs_of_the_result(end: str, tmp_path: Path) -> None:
    graph, network = converted(end)
    x = samples(graph, 6, seed=8)
    result = kgenn.compile(network, "reference").evaluate(x)
    directory = emit(network, tmp_path)
    lines = printed(build_executable(directory, *WARNINGS), directory, x)
    classes, outputs = told(lines, result.scores.shape[1])
    np.testing.assert_allclose(outputs, result.scores, rtol=2e-6, atol=1e-7)
    says_no_class = end in MAPS or end in SIGMOIDS  # each value of a sigmoid is a yes or no
    assert classes == (None if says_no_class else result.scores.argmax(axis=1).tolist())


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
@pytest.mark.parametrize("end", ["gelu", pytest.param("softmax of columns", marks=pytest.mark.slow)])
def test_cuda_prints_the_outputs_of_the_result(end: str, tmp_path: Path) -> None:
    graph, network = converted(end)
    x = samples(graph, 6, seed=8)
    result = kgenn.compile(network, "reference").evaluate(x)
    directory = emit(network, tmp_path, "cuda")
    classes, outputs = told(printed(build_cuda(directory), directory, x), result.scores.shape[1])
    np.testing.assert_allclose(outputs, result.scores, rtol=2e-6, atol=1e-7)
    says_no_class = end in MAPS or end in SIGMOIDS  # each value of a sigmoid is a yes or no
    assert classes == (None if says_no_class else result.scores.argmax(axis=1).tolist())


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_cpp_says_the_class_of_a_single_sigmoid(tmp_path: Path) -> None:
    graph, network = converted("sigmoid", outputs=1)
    x = samples(graph, 20)
    directory = emit(network, tmp_path)
    classes, outputs = told(printed(build_executable(directory), directory, x), 1)
    assert classes == (outputs[:, 0] > 0.5).astype(int).tolist()


def functions_of(program: str) -> dict[str, Any]:
    """Return the functions of a GeNN program that turn scores into outputs; the rest of it needs pygenn."""
    wanted = [node for node in ast.parse(program).body if getattr(node, "name", "") in ("outputs", "predictions")]
    names: dict[str, Any] = {"np": np, "math": math}
    exec(compile(ast.Module(wanted, []), "model.py", "exec"), names)
    return names


def test_a_sparsemax_inside_a_network_is_refused() -> None:
    b = Build("inside", (7,))
    graph = b.graph(b.dense(b.add(Sparsemax(), b.dense("input", 4)), 3))
    (problem,) = kgenn.check(graph, allow=("all",))
    assert problem.code == "KG301"
    assert "Sparsemax is not linear" in problem.what


@each_end
def test_genns_program_computes_the_outputs_of_the_result(end: str) -> None:
    graph, network = converted(end)
    x = samples(graph, 6, seed=8)
    compiled = kgenn.compile(network, "reference")
    raw = next(compiled.trace(x)).scores[:, -1]
    result = compiled.evaluate(x)
    program = TARGETS.get("genn-cpu")().emit(network).files["model.py"].decode()
    functions = functions_of(program)
    outputs = functions["outputs"](raw)
    np.testing.assert_allclose(outputs, result.scores, rtol=1e-6, atol=2e-7)
    assert functions["predictions"](outputs).tolist() == result.scores.argmax(axis=1).tolist()
    assert ("import math" in program) == ("math." in program.replace("import math", ""))


@pytest.mark.parametrize("end", COMPILED)
def test_mlgenns_program_computes_the_outputs_of_the_result(end: str) -> None:
    graph = mapped(MAPS[end]) if end in MAPS else ended(ENDS[end])
    x = np.abs(samples(graph, 40))
    x /= x.max()
    network = kgenn.convert(graph, calibration=x, timesteps=64, allow=("bias", "relu-cap"), encoder=Poisson())
    compiled = kgenn.compile(network, "reference")
    program = MlGenn().emit(network, "net.py").files["net.py"].decode()
    outputs = functions_of(program)["outputs"](next(compiled.trace(x)).scores[:, -1])
    np.testing.assert_allclose(outputs, compiled.evaluate(x).scores, rtol=1e-6, atol=2e-7)


def test_nir_names_the_activations_that_its_reader_computes() -> None:
    pytest.importorskip("nir", reason="the package nir is not installed")
    assert kgenn.to_nir(converted("relu softmax")[1]).metadata["output_activations"] == "relu, softmax"
