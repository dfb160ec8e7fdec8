"""Runs, comparisons, searches and self-tests of networks whose outputs are no classes, against Keras."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kgenn
from covering import leading
from kgenn.agreement import agreement_warnings
from kgenn.artifact.directory import read_directory
from kgenn.backends import TARGETS
from kgenn.conversion.outputs import ends_of
from kgenn.diagnostics import KgennError
from kgenn.ir.agreement import Agreement
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from kgenn.ir.output_end import OutputEnd
from kgenn.ir.recording import RecordingOptions
from kgenn.ir.scores import heads_of
from kgenn.metrics.result import Result
from kgenn.tasks.goal import Choice, goal
from kgenn.tasks.metric import MetricTally
from programs import build_executable, emit, printed

L = keras.layers
COUNT = 96
# name: (task, metric, layers after a hidden one)
ENDS: dict[str, tuple[str, str, list[Any]]] = {
    "classes": ("classes", "accuracy", [L.Dense(4, "softmax")]),
    "binary": ("binary", "accuracy", [L.Dense(1, "sigmoid")]),
    "multi-label": ("multi-label", "label-accuracy", [L.Dense(5, "sigmoid")]),
    "segmentation": ("segmentation", "pixel-accuracy", [L.Dense(48), L.Reshape((4, 4, 3)), L.Softmax()]),
    "mask": ("segmentation", "pixel-accuracy", [L.Dense(16, "sigmoid"), L.Reshape((4, 4, 1))]),
    "regression": ("regression", "mse", [L.Dense(2)]),
    "rectified": ("regression", "mse", [L.Dense(3, "relu")]),
    "signal": ("regression", "mse", [L.Dense(16), L.Reshape((16, 1))]),
    "autoencoder": ("reconstruction", "mse", [L.Dense(32), L.Reshape((4, 8, 1))]),
}
# a vector of values, which could be classes where there are no labels
LINEAR = ("regression", "rectified")
each_end = pytest.mark.parametrize("name", ENDS)


@cache
def model_of(name: str) -> keras.Model:
    keras.utils.set_random_seed(5)
    shape = (4, 8, 1) if name == "autoencoder" else (32,)
    layers = [L.Flatten(), L.Dense(24, "relu")]
    return keras.Sequential([keras.Input(shape), *layers, *ENDS[name][2]])


def end_of_graph(name: str) -> OutputEnd:
    """Return how a model ends."""
    (end,) = ends_of(kgenn.load(model_of(name))).values()
    return end


@each_end
def test_a_model_and_its_network_end_alike(name: str) -> None:
    (head,) = heads_of(network_of(name))
    assert end_of_graph(name) == head.end
    assert goal(end_of_graph(name)).guessed == goal(head.end).guessed


def test_a_final_relu_is_named_in_the_guess() -> None:
    assert goal(end_of_graph("rectified"), None, data_of("rectified")[1]).in_words() == (
        "regression (guessed: ends in relu, and the labels are values)"
    )


@cache
def data_of(name: str) -> tuple[Array, Array]:
    """Return samples, and labels that are what the model says but for some."""
    rng = np.random.default_rng(2)
    model = model_of(name)
    x = rng.uniform(0, 1, (COUNT, *model.input_shape[1:])).astype(np.float32)
    values = np.asarray(model(x))
    task = ENDS[name][0]
    if task in ("regression", "reconstruction"):
        return x, values + rng.normal(0, 0.1, values.shape)
    said = values.argmax(axis=-1) if values.shape[-1] > 1 and task != "multi-label" else (values > 0.5).astype(int)
    wrong = rng.uniform(size=said.shape) < 0.1
    return x, np.where(wrong, (said + 1) % (4 if task == "classes" else 2), said)


@cache
def network_of(name: str) -> Network:
    x, y = data_of(name)
    return kgenn.convert(model_of(name), calibration=x, labels=y, timesteps=256, allow="bias")


@cache
def result_of(name: str) -> Result:
    return kgenn.compile(network_of(name), "reference").evaluate(*data_of(name))


def oracle(task: str, values: Array, y: Array) -> float:
    """Return the first metric of a task as Keras computes it."""
    if task in ("regression", "reconstruction"):
        metric: keras.Metric = keras.metrics.MeanSquaredError()
    elif values.shape[-1] > 1 and task != "multi-label":
        metric = keras.metrics.SparseCategoricalAccuracy()
    else:
        metric = keras.metrics.BinaryAccuracy()
    metric.update_state(y.reshape(values.shape) if y.size == values.size else y, values)
    return float(metric.result())


@each_end
def test_a_run_speaks_in_the_metric_of_its_task_as_keras_does(name: str) -> None:
    task, metric, _ = ENDS[name]
    result, (x, y), model = result_of(name), data_of(name), model_of(name)
    assert (result.metric, result.outputs[next(iter(result.outputs))].task.split(" (")[0]) == (metric, task)
    expected = oracle(task, result.scores.reshape(COUNT, *model.output_shape[1:]), y)
    assert result.value == pytest.approx(expected, rel=1e-5)
    assert (result.accuracy is not None) == (task in ("classes", "binary"))
    compiled = kgenn.compile(network_of(name), "reference")
    ann = compiled.with_ann(x, y, result).ann
    assert ann is not None
    assert ann.ann == pytest.approx(oracle(task, np.asarray(model(x)), y), rel=1e-2)
    assert ann.network == pytest.approx(result.value)
    plain = result.to_dict()
    assert (plain["metric"], plain["value"]) == (metric, result.value)
    assert plain["metrics"][metric] == result.value


@each_end
def test_the_curve_is_the_metric_after_each_step(name: str) -> None:
    (x, y), network = data_of(name), network_of(name)
    compiled = kgenn.compile(network, "reference")
    curve = compiled.evaluate(x, y, record=RecordingOptions(curve=True)).curve
    assert curve is not None
    assert len(curve) == network.num_timesteps
    assert curve[-1] == result_of(name).value
    # a network that runs long is close to its model, one that stops at once is not
    target = oracle(ENDS[name][0], np.asarray(model_of(name)(x)), y)
    assert abs(curve[-1] - target) < abs(curve[0] - target)


@each_end
def test_a_comparison_speaks_in_that_metric(name: str) -> None:
    x, y = data_of(name)
    found = kgenn.compile(network_of(name), "reference").compare(x, y)
    assert found.result.value == pytest.approx(result_of(name).value)
    assert found.ann_value == pytest.approx(oracle(ENDS[name][0], np.asarray(model_of(name)(x)), y), rel=1e-2)
    plain = found.to_dict()
    assert (plain["metric"], plain["ann_value"], plain["value"]) == (
        ENDS[name][1],
        found.ann_value,
        found.result.value,
    )


@each_end
def test_a_self_test_of_values_has_no_classes_to_agree_on(name: str) -> None:
    found = network_of(name).agreement
    assert found is not None
    assert found.error < 0.2
    assert (found.agreement is None) == (ENDS[name][0] in ("regression", "reconstruction"))


@pytest.mark.parametrize("name", ["regression", "mask"])
def test_a_warning_speaks_of_what_the_output_is_for(name: str) -> None:
    share = 0.5 if name == "mask" else None
    (found,) = agreement_warnings(Agreement(50, True, share, 0.9, (), "", 0.0), network_of(name))
    assert found.code == "KG453"
    words = "gives the model's class for 50% of 50 calibration samples, with outputs off by 0.9 of their spread"
    of_values = "gives outputs off by 0.9 of their spread on 50 calibration samples"
    assert found.what == (words if name == "mask" else of_values)


@pytest.mark.parametrize("name", ["regression", "signal", "autoencoder"])
def test_early_exit_needs_a_class_to_be_sure_of(name: str) -> None:
    compiled = kgenn.compile(network_of(name), "reference")
    with pytest.raises(KgennError, match=r"KG401.*no classes to be sure of"):
        compiled.evaluate(*data_of(name), early_exit=0.9)


@pytest.mark.parametrize(("name", "metric"), [("multi-label", "f1"), ("segmentation", "mean-iou"), ("mask", None)])
def test_labels_and_maps_end_early_once_the_least_sure_one_is(name: str, metric: str | None) -> None:
    compiled = kgenn.compile(network_of(name), "reference")
    x, y = data_of(name)
    run = compiled.evaluate(x, y, record=RecordingOptions(curve=True), metric=metric)
    values = model_of(name).predict(x, verbose=0)
    if name == "segmentation":
        least = values.max(axis=-1).reshape(len(x), -1).min(axis=1)
    else:
        least = np.maximum(values, 1 - values).reshape(len(x), -1).min(axis=1)
    early = compiled.evaluate(x, y, early_exit=float(np.median(least)), metric=metric).early_exit
    assert early is not None
    assert 1 < early.mean_timesteps < network_of(name).num_timesteps
    assert early.metric == run.metric
    assert early.predictions.shape == run.predictions.shape
    sure = compiled.evaluate(x, y, early_exit=1.0, metric=metric).early_exit
    assert sure is not None
    assert (sure.mean_timesteps, sure.value) == (network_of(name).num_timesteps, run.value)


def test_a_yes_or_no_ends_early_once_it_is_sure() -> None:
    compiled = kgenn.compile(network_of("binary"), "reference")
    x, y = data_of("binary")
    early = compiled.evaluate(x, y, early_exit=0.6).early_exit
    assert early is not None
    assert 1 <= early.mean_timesteps < network_of("binary").num_timesteps
    assert early.accuracy == np.mean(early.predictions == y.ravel())


def test_a_reconstruction_without_labels_is_of_the_input_where_the_user_asks_for_it() -> None:
    compiled = kgenn.compile(network_of("autoencoder"), "reference")
    x, _ = data_of("autoencoder")
    assert compiled.evaluate(x).value is None
    asked = compiled.evaluate(x, task="reconstruction")
    assert asked.value == pytest.approx(float(np.mean((asked.scores.reshape(x.shape) - x) ** 2)), rel=1e-4)


def test_what_the_user_chose_at_the_conversion_holds_for_runs(tmp_path: Path) -> None:
    x, _ = data_of("regression")
    y = (np.asarray(model_of("regression")(x)) > 0.1).astype(int)
    chosen = {"task": "multi-label", "threshold": 0.1}
    kinds: Any = chosen
    network = kgenn.convert(model_of("regression"), calibration=x, timesteps=64, allow="bias", **kinds)
    assert network.origin["tasks"] == {network.outputs[0].name: chosen}
    kgenn.compile(network, "reference").save(tmp_path / "out")
    again = kgenn.CompiledNetwork(read_directory(tmp_path / "out"), kgenn.compile(network, "reference")._simulator)
    found = again.evaluate(x, y)
    assert found.metric == "label-accuracy"
    assert found.outputs[network.outputs[0].name].task == "multi-label, threshold 0.1"
    values = again.evaluate(x, y.astype(float), task="regression", metric="mae")
    assert values.metric == "mae"
    assert values.value == pytest.approx(float(np.abs(values.scores - y).mean()), rel=1e-4)
    with pytest.raises(KgennError, match="KG401"):
        again.evaluate(x, y, task="segmentation")
    with pytest.raises(KgennError, match="KG401"):
        again.evaluate(x, y, task={"no such output": "regression"})


@each_end
def test_the_program_for_genn_prints_the_metric_of_the_result(name: str) -> None:
    files = TARGETS.get("genn-cpu")().emit(network_of(name)).files
    (text,) = (content.decode() for file, content in files.items() if file.endswith(".py"))
    result, (_, y) = result_of(name), data_of(name)
    found: dict[str, Any] = {"np": np}
    exec(text[text.index("def measured") : text.index("MEASURES =")], found)
    metric, value = found["measured"](result.scores, y).split()
    assert metric == result.metric
    assert float(value) == pytest.approx(result.value, abs=6e-5)
    if name in ("classes", "segmentation"):
        assert found["measured"](result.scores, np.eye(model_of(name).output_shape[-1])[y]) == f"{metric} {value}"
    assert ("classes = [predictions(" in text) == (ENDS[name][0] in ("classes", "binary") or name in LINEAR)


@pytest.mark.slow
@pytest.mark.parametrize("name", leading(["classes", "signal"]))
def test_the_generated_program_prints_a_class_where_there_is_one(name: str, tmp_path: Path) -> None:
    network, (x, _) = network_of(name), data_of(name)
    lines = printed(build_executable(emit(network, tmp_path)), tmp_path, x[:2])
    rows = [[float(value) for value in line.split()] for line in lines]
    result = result_of(name)
    expected = result.scores[:2]
    if name == "classes":
        expected = np.concatenate([result.predictions[:2, None], expected], axis=1)
    np.testing.assert_allclose(rows, expected, rtol=1e-5)


@pytest.mark.parametrize("steps", [8, "auto"])
@pytest.mark.parametrize("wrong", [np.arange(COUNT) + 0.5, np.arange(COUNT - 1), {"nothing": np.arange(COUNT)}])
def test_labels_that_are_none_of_the_task_are_refused_with_and_without_a_search(steps: Any, wrong: Any) -> None:
    x, _ = data_of("classes")
    with pytest.raises(KgennError, match="KG607"):
        kgenn.convert(model_of("classes"), calibration=x, labels=wrong, timesteps=steps, allow="bias")


@pytest.mark.parametrize(
    ("name", "metric"), leading([("multi-label", "f1"), ("segmentation", "mean-iou"), ("regression", "mae")])
)
def test_the_fewest_steps_are_found_in_the_chosen_metric(name: str, metric: str) -> None:
    x, y = data_of(name)
    options: dict[str, Any] = {"calibration": x, "labels": y, "allow": "bias", "metric": metric, "check": False}
    model, limit = model_of(name), 5.0
    found = kgenn.convert(model, timesteps="auto", loss=limit, most_timesteps=256, **options)
    assert found.origin["search"]["measured"] == {"f1": "F1", "mean-iou": "mean IoU", "mae": "MAE"}[metric]
    whole = kgenn.compile(kgenn.convert(model, timesteps=256, **options), "reference")
    curve = whole.evaluate(x, y, record=RecordingOptions(curve=True)).curve
    assert curve is not None
    aim = goal(end_of_graph(name), Choice(ENDS[name][0], metric))
    tally, said = MetricTally(aim.metric), aim.task.predictions(model.predict(x, verbose=0).reshape(COUNT, -1))
    tally.add(said[:, None], y.reshape(said.shape))
    own = tally.values(y.reshape(said.shape))
    assert own is not None
    scale = -100 / np.abs(y - y.mean(axis=0)).mean() if metric == "mae" else 100
    lost = scale * (own[0] - curve)
    assert found.origin["search"]["loss"] == pytest.approx(lost[found.num_timesteps - 1], abs=1e-3)
    # two standard errors more than the loss itself are within the limit
    assert found.num_timesteps >= int(np.flatnonzero(lost <= limit)[0]) + 1


@pytest.mark.slow
def test_a_search_compares_a_reconstruction_without_labels_with_the_input_where_it_is_asked_for() -> None:
    x, _ = data_of("autoencoder")
    options: dict[str, Any] = {"calibration": x, "allow": "bias", "timesteps": "auto", "loss": 20.0}
    asked = kgenn.convert(model_of("autoencoder"), task="reconstruction", metric="psnr", **options)
    assert asked.origin["search"]["measured"] == "PSNR (dB)"
    assert kgenn.convert(model_of("autoencoder"), **options).origin["search"]["measured"] == "agreement"


@pytest.mark.parametrize("metric", ["mse", "mae", "r2"])
def test_a_search_refuses_labels_that_do_not_differ(metric: str) -> None:
    x, y = data_of("regression")
    options: dict[str, Any] = {"calibration": x, "labels": np.ones_like(y), "allow": "bias", "metric": metric}
    with pytest.raises(KgennError, match=r"KG405.*labels of output .* are the same for all 96 samples"):
        kgenn.convert(model_of("regression"), timesteps="auto", task="regression", **options)
