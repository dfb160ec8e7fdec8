"""Several inputs and outputs: how they are given, encoded, scored and stored."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kgenn
from covering import leading
from kgenn.artifact.directory import Artifact, read_directory
from kgenn.artifact.self_test import self_test
from kgenn.backends import TARGETS
from kgenn.backends.reference import ReferenceSimulator
from kgenn.baseline import Baseline
from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Array, Graph, Output
from kgenn.ir.network import Network
from kgenn.ir.scores import heads_of
from kgenn.ir.text import network_text
from networks import Build, build, samples
from ported_models import arrays, labels_of, two_inputs
from recordings import EVERYTHING, converted, on_reference

TIMESTEPS = 24
MIXED: dict[str, Any] = {"image": kgenn.Poisson(), "meta": "direct"}


@cache
def model() -> keras.Model:
    return two_inputs()


@cache
def network(converter: str = "data-norm", timesteps: int = TIMESTEPS) -> Network:
    encoder = MIXED if converter == "data-norm" else None
    return kgenn.convert(
        model(), calibration=arrays(), timesteps=timesteps, converter=converter, encoder=encoder, check=False
    )


def refused(code: str, match: str = "") -> Any:
    return pytest.raises(KgennError, match=f"{code}.*{match}")


def test_names_are_those_of_keras() -> None:
    graph = kgenn.load(model())
    assert list(graph.inputs) == [tensor.name for tensor in model().inputs]
    assert [output.name for output in graph.outputs] == model().output_names


def test_outputs_of_one_layer_called_twice_are_numbered() -> None:
    x, y = keras.Input((4,), name="x"), keras.Input((4,), name="y")
    layer = keras.layers.Dense(2, name="twin")
    graph = kgenn.load(keras.Model([x, y], [layer(x), layer(y)]))
    assert [output.name for output in graph.outputs] == ["twin", "twin_1"]


def test_outputs_of_a_dictionary_have_its_keys() -> None:
    x = keras.Input((4,), name="x")
    graph = kgenn.load(keras.Model(x, {"b": keras.layers.Dense(2)(x), "a": keras.layers.Dense(3)(x)}))
    assert [(o.name, graph.shapes[o.node]) for o in graph.outputs] == [("a", (3,)), ("b", (2,))]


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (lambda a: a["image"], "one array"),
        (lambda a: [a["image"]], "1 array"),
        (lambda a: {"image": a["image"]}, "the array image"),
        (lambda a: {"image": a["image"], "mata": a["meta"]}, "image, mata"),
        (lambda a: [a["image"], a["meta"][:3]], "64 of image, 3 of meta"),
    ],
)
def test_other_arrays_than_the_inputs_are_refused_by_their_names(given: Any, what: str) -> None:
    with refused("KG602", what) as caught:
        kgenn.load(model()).predict(given(arrays()))
    assert "image, meta" in str(caught.value) or "each input" in str(caught.value)
    with refused("KG602", what):
        kgenn.compile(network(), "reference").evaluate(given(arrays()))
    with refused("KG402", f"calibration data: .*{what}"):
        kgenn.convert(model(), calibration=given(arrays()))


def test_lists_tuples_and_mappings_give_one_network() -> None:
    texts = {
        network_text(kgenn.convert(model(), calibration=given, timesteps=8, check=False))
        for given in (arrays(), list(arrays().values()), tuple(arrays().values()))
    }
    assert len(texts) == 1


def test_each_input_has_its_own_encoder() -> None:
    assert [(i.name, i.coding.encoder, i.coding.analog) for i in network().inputs] == [
        ("image", "poisson", False),
        ("meta", "direct", True),
    ]
    with refused("KG401", "encoder imag=poisson.*(.|\n)*image"):
        kgenn.check(model(), encoder={"imag": "poisson"})
    with refused("KG401", "does not work with the converter few-spike"):
        kgenn.check(model(), "few-spike", encoder={"image": "poisson"})


def test_two_poisson_inputs_of_equal_values_do_not_fire_alike() -> None:
    b = Build("twins", (40,))
    b.nodes.append(type(b.nodes[0])("other", b.nodes[0].layer, (), "other (InputLayer)"))
    x, y = b.dense("input", 3), b.dense("other", 3)
    graph = Graph("twins", tuple(b.nodes), (Output("x", x), Output("y", y)))
    half = np.full((2, 40), 0.5, np.float32)
    net = kgenn.convert(graph, calibration=[half, half], encoder="poisson", timesteps=32, check=False)
    raster = ReferenceSimulator(net).run(net.drive([half, half]), 0, EVERYTHING).raster
    assert raster is not None
    assert 0.4 < (raster["input"] == raster["other"]).mean() < 0.6


def test_the_first_input_fires_as_it_does_alone() -> None:
    """Random numbers of an input do not depend on the inputs after it."""
    alone = converted("dense", "poisson")
    x = samples(build("dense"), 3)
    expected = ReferenceSimulator(alone).run(alone.drive(x), 4, EVERYTHING).raster
    graph = build("dense")
    more = type(graph.nodes[0])("more", graph.nodes[0].layer, (), "more (InputLayer)")
    graph = Graph(graph.name, (graph.nodes[0], more, *graph.nodes[1:]), graph.outputs)
    calibration = samples(build("dense"), 16)
    net = kgenn.convert(
        graph, calibration=[calibration] * 2, encoder="poisson", timesteps=21, seed=3, allow="all", check=False
    )
    found = ReferenceSimulator(net).run(net.drive([x, x]), 4, EVERYTHING).raster
    assert expected is not None
    assert found is not None
    assert np.array_equal(found["input"], expected["input"])


@pytest.mark.parametrize("converter", ["data-norm", "few-spike", "ttfs", "burst", "calibrated"])
def test_each_output_approaches_the_model(converter: str) -> None:
    steps = {"few-spike": 10, "ttfs": 200, "calibrated": 24}.get(converter, 400)
    net = kgenn.convert(model(), calibration=arrays(), timesteps=steps, converter=converter, check=False)
    result = kgenn.compile(net, "reference").evaluate([array[:6] for array in arrays().values()])
    expected = model().predict([array[:6] for array in arrays().values()], verbose=0)
    assert list(result.outputs) == ["digit", "aux", "yes"]
    for found, value in zip(result.outputs.values(), expected, strict=True):
        assert found.scores.shape == value.shape
        assert np.abs(found.scores - value).max() < 0.1


def test_the_first_output_is_the_result_s_own() -> None:
    result = kgenn.compile(network(), "reference").evaluate(arrays(), labels_of(model()))
    first = result.outputs["digit"]
    assert (result.accuracy, result.predictions is first.predictions) == (first.accuracy, True)
    named = ["accuracy of digit", "task of digit", "accuracy of aux", "task of aux", "accuracy of yes"]
    assert [row[0] for row in result.rows()[:5]] == named
    yes = result.to_dict(curve=True)["outputs"]["yes"]
    assert set(yes) == {"task", "metric", "value", "metrics", "accuracy", "curve"}


def test_labels_are_of_all_outputs_in_order_or_of_some_by_name() -> None:
    compiled, labels = kgenn.compile(network(), "reference"), labels_of(model())
    every = compiled.evaluate(arrays(), list(labels.values()))
    some = compiled.evaluate(arrays(), {"yes": labels["yes"]})
    assert {n: o.accuracy for n, o in some.outputs.items()} == {
        "digit": None,
        "aux": None,
        "yes": every.outputs["yes"].accuracy,
    }
    yes = labels["yes"]
    for wrong, what in ((yes, "one output"), ({"no": yes}, "'no'"), ([yes], "one output")):
        with refused("KG607", what):
            compiled.evaluate(arrays(), wrong)


def test_a_comparison_has_the_accuracies_of_each_output() -> None:
    comparison = kgenn.compile(network(), "reference").compare(arrays(), labels_of(model()))
    assert comparison.to_dict()["outputs"].keys() == {"digit", "aux", "yes"}
    assert min(comparison.ann_values.values()) > 0.9


def test_agreement_is_over_all_outputs() -> None:
    net = kgenn.convert(model(), calibration=arrays(), timesteps=400)
    assert net.agreement is not None
    assert len(net.agreement.errors) == net.num_scores == 6
    assert net.agreement.agreement > 0.5


def test_a_search_measures_the_output_that_loses_most() -> None:
    graph = kgenn.load(model())
    against = Baseline.of(graph, graph.samples(arrays()))
    losses = against.losses(network(), on_reference, curve=True)
    result = kgenn.compile(network(), "reference").evaluate(arrays(), against.predictions)
    lost = [100 * (1 - output.curve[-1]) for output in result.outputs.values() if output.curve is not None]
    assert losses.lost.shape == (TIMESTEPS,)
    assert float(losses.lost[-1]) == pytest.approx(max(lost))


def softmaxed(values: Array) -> Array:
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def test_a_sample_ends_early_once_every_output_is_sure() -> None:
    found = kgenn.compile(network(), "reference")
    labels = labels_of(model())
    recording = ReferenceSimulator(network()).run(network().drive(arrays()), 0, EVERYTHING)
    digit, aux, yes = (
        np.stack([head.in_model_units(recording.scores[:, t - 1], t) for t in range(1, TIMESTEPS + 1)], axis=1)
        for head in heads_of(network())
    )
    sure = np.min([softmaxed(digit).max(-1), softmaxed(aux).max(-1), 1 / (1 + np.exp(-abs(yes[..., 0])))], axis=0)
    confidence = float(np.median(sure.max(axis=1)))
    needed = np.where((sure >= confidence).any(axis=1), (sure >= confidence).argmax(axis=1) + 1, TIMESTEPS)
    assert len(set(needed)) > 1
    early = found.evaluate(arrays(), labels, early_exit=confidence).early_exit
    assert early is not None
    assert early.timesteps.tolist() == needed.tolist()
    assert list(early.outputs) == ["digit", "aux", "yes"]
    for name, own in early.outputs.items():
        assert own.value == np.mean(own.predictions == np.asarray(labels[name]).ravel())
    assert set(early.to_dict()["outputs"]) == set(early.outputs)


@pytest.mark.parametrize("target", leading(["cpu", "reference"]))
def test_a_directory_keeps_inputs_and_outputs(target: str, tmp_path: Path) -> None:
    compiled = kgenn.compile(network(), target)
    compiled.save(tmp_path / "out")
    again = kgenn.open_directory(tmp_path / "out")
    assert network_text(again.network) == network_text(network())
    one, two = (c.evaluate(arrays()) for c in (compiled, again))
    for name in one.outputs:
        assert np.array_equal(one.outputs[name].scores, two.outputs[name].scores)
    assert kgenn.verify(tmp_path / "out").sound


@pytest.mark.parametrize("target", ["cpu", "cuda", "genn-cpu"])
def test_names_of_inputs_and_outputs_cannot_leave_comments_and_texts(target: str) -> None:
    hostile = '*/ x"""\nimport os\n#\\'
    net = network()
    renamed = tuple(replace(output, name=f"{output.name}{hostile}") for output in net.outputs)
    files = (TARGETS.get(target)().emit(n).files for n in (net, replace(net, outputs=renamed)))
    for (name, one), (_, two) in zip(*(f.items() for f in files), strict=True):
        assert one.count(b"\n") == two.count(b"\n") or name.endswith((".bin", ".npz"))
        if name.endswith(".py"):
            assert [type(n) for n in ast.walk(ast.parse(one))] == [type(n) for n in ast.walk(ast.parse(two))]


@pytest.mark.slow
def test_a_graph_of_which_an_output_is_a_hidden_layer_or_an_input_converts() -> None:
    b = Build("taps", (7,))
    hidden = b.relu(b.dense("input", 5))
    last = b.dense(hidden, 3)
    ends = {"hidden": hidden, "last": last, "again": last, "input": "input"}
    graph = Graph("taps", tuple(b.nodes), tuple(Output(name, node) for name, node in ends.items()))
    x = samples(graph, 24)
    net = kgenn.convert(graph, calibration=x, timesteps=400, check=False)
    assert len(net.readouts) == 3
    for target in ("reference", "cpu"):
        result = kgenn.compile(net, target).evaluate(x[:4])
        for found, value in zip(result.outputs.values(), graph.predict(x[:4]), strict=True):
            assert np.abs(found.scores - value).max() < 0.05 * max(1, np.abs(value).max())


# ---- directories of an earlier version


def of_schema_3(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest as the version before several inputs and outputs wrote it."""
    net = dict(manifest["network"])
    (given,), (output,) = net.pop("inputs"), net.pop("outputs")
    net |= {"input_shape": given["shape"], "transform": given["transform"], "coding": given["coding"]}
    net |= {"output_activations": output["activations"], "calibrated_on": given["calibrated_on"]}
    return {**manifest, "schema": 3, "network": net}


def renamed(value: Any, old: str, new: str) -> Any:
    """Return a tree with the names of arrays that begin with one text beginning with another."""
    if isinstance(value, dict):
        return {key: renamed(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [renamed(item, old, new) for item in value]
    return value.replace(old, new) if isinstance(value, str) else value


@pytest.mark.parametrize("encoder", ["direct", "poisson"])
def test_a_directory_of_one_input_and_output_without_names_is_read(encoder: str, tmp_path: Path) -> None:
    net = converted("dense", encoder)
    files = Artifact(net, "reference").files(TARGETS.get("reference")().emit(net), self_test(net))
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    manifest = json.loads(files["manifest.json"])
    (tmp_path / "manifest.json").write_text(json.dumps(of_schema_3(manifest)))
    read = read_directory(tmp_path).network
    assert [i.name for i in read.inputs] == [net.populations[0].name]
    assert [o.name for o in read.outputs] == [net.populations[-1].name]
    drive = net.drive(samples(build("dense"), 3))
    one, two = (ReferenceSimulator(n).run(drive, 0) for n in (net, read))
    assert np.array_equal(one.scores, two.scores)
