"""The Python interface: load, check, convert, compile, evaluate, save, open."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kgenn
from covering import covering
from kgenn.api import model_record, samples
from kgenn.backends.base import RunOptions
from kgenn.config import Option, options_of
from kgenn.conversion import CONVERTERS
from kgenn.conversion.recipe import recipe_of
from kgenn.diagnostics import KgennError
from kgenn.encoders import ENCODERS
from kgenn.ir.network import Network
from kgenn.ir.recording import RecordingOptions
from kgenn.ir.samples import refuse_shape
from kgenn.ir.text import network_text
from kgenn.metrics.early_exit import ExitTally
from kgenn.passes import LoweringOptions
from kgenn.tasks.classes import check_labels
from kgenn.timestep_search import TimestepSearch
from networks import build
from networks import samples as random_samples

GRAPH = build("residual_shortcut")
X = random_samples(GRAPH, 30)
Y = np.random.default_rng(1).integers(0, 4, 30)


def network(**options: object) -> Network:
    # one of `SINGLE`, whose programs many tests share
    chosen: dict[str, Any] = options if "encoder" in options else {"readout": "current", **options}
    return kgenn.convert(GRAPH, calibration=X, timesteps=12, **chosen)


def test_a_graph_becomes_a_result_in_three_calls() -> None:
    result = kgenn.compile(network()).evaluate(X, Y)
    assert result.num_samples == 30
    assert result.num_timesteps == 12
    assert result.accuracy is not None
    assert result.curve is not None
    assert result.curve.shape == (12,)
    assert result.predictions.shape == (30,)
    assert result.scores.shape == (30, 4)
    assert result.wall_seconds > 0


@pytest.mark.parametrize(
    ("encoder", "readout"),
    covering(
        [kgenn.Direct(), kgenn.Poisson(), kgenn.Spike(binarise=0.5)], ["current", "late-current", "spike-count"]
    ),
)
def test_both_targets_give_one_result_in_any_batches(encoder: object, readout: str) -> None:
    net = network(encoder=encoder, readout=readout)
    whole = kgenn.compile(net, "reference").evaluate(X, Y)
    for batch_size, threads in ((1, 1), (7, 2), (64, 3)):
        other = kgenn.compile(net, "cpu", threads).evaluate(X, Y, batch_size)
        assert np.array_equal(other.scores, whole.scores)
        assert np.array_equal(other.predictions, whole.predictions)
        times = ("wall_seconds", "cpu_seconds")
        one, two = ({k: v for k, v in r.to_dict(curve=True).items() if k not in times} for r in (whole, other))
        assert one == two


def test_traces_hold_the_spikes_that_the_figures_count() -> None:
    compiled = kgenn.compile(network(encoder=kgenn.Poisson()))
    result = compiled.evaluate(X)
    spikes: dict[str, int] = {}
    for recording in compiled.trace(X, batch_size=8):
        assert recording.raster is not None
        for name, raster in recording.raster.items():
            spikes[name] = spikes.get(name, 0) + int(np.abs(raster).sum())
    assert {name: total / 30 for name, total in spikes.items()} == pytest.approx(dict(result.spikes))


def test_progress_counts_every_sample_once() -> None:
    steps: list[int] = []
    kgenn.compile(network(), "reference").evaluate(X, batch_size=8, progress=steps.append)
    assert steps == [8, 8, 8, 6]


@pytest.mark.quick
@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        ({}, [16, 14]),
        ({"early_exit": 0.9}, [4] * 7 + [2]),
        ({"record": RecordingOptions(trace=True)}, [4] * 7 + [2]),
    ],
)
def test_only_a_run_that_wants_every_spike_is_cut_into_smaller_batches(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], sizes: list[int]
) -> None:
    net = network()
    raster = net.num_timesteps * sum(population.size for population in net.spiking)
    monkeypatch.setattr("kgenn.ir.recording.RASTER_BYTES", 4 * raster + 1)
    steps: list[int] = []
    kgenn.compile(net).evaluate(X, batch_size=16, progress=steps.append, **options)
    assert steps == sizes


def test_an_observer_sees_every_batch() -> None:
    starts: list[int] = []
    shapes: list[tuple[int, ...]] = []

    def observe(start: int, drive: np.ndarray, recording: object) -> None:
        starts.append(start)
        shapes.append(drive.shape)

    kgenn.compile(network(), "reference").evaluate(X, batch_size=16, observe=observe)
    assert starts == [0, 16]
    assert shapes == [(16, 108), (14, 108)]


@pytest.mark.parametrize("target", ["cpu", "reference"])
def test_a_saved_network_opens_and_gives_the_same(tmp_path: Path, target: str) -> None:
    compiled = kgenn.compile(network(encoder=kgenn.Poisson()), target)
    compiled.save(tmp_path / "out")
    opened = kgenn.open_directory(str(tmp_path / "out"))
    assert opened.artifact.target == target
    assert np.array_equal(opened.evaluate(X).scores, compiled.evaluate(X).scores)
    other = kgenn.open_directory(tmp_path / "out", target="reference")
    assert np.array_equal(other.evaluate(X).scores, compiled.evaluate(X).scores)


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        kgenn.compile(network(), "reference").save(tmp_path / name)
    files = sorted(p.name for p in (tmp_path / "one").iterdir())
    assert files == [".gitignore", "SHA256SUMS", "manifest.json", "network.npz", "self_test.npz"]
    assert all((tmp_path / "one" / f).read_bytes() == (tmp_path / "two" / f).read_bytes() for f in files)


def test_the_seed_changes_random_encoders_alone() -> None:
    def scores(encoder: object, seed: int) -> np.ndarray:
        return kgenn.compile(network(encoder=encoder, seed=seed), "reference").evaluate(X).scores

    assert np.array_equal(scores(kgenn.IntegrateFire(), 1), scores(kgenn.IntegrateFire(), 2))
    assert not np.array_equal(scores(kgenn.Poisson(), 1), scores(kgenn.Poisson(), 2))
    assert np.array_equal(scores(kgenn.Poisson(), 1), scores(kgenn.Poisson(), 1))


def test_checking_gives_violations_without_raising() -> None:
    assert kgenn.check(GRAPH) == []
    found = kgenn.check(build("bias_conv"))
    assert [d.code for d in found] == ["KG201", "KG201"]
    assert kgenn.check(build("bias_conv"), allow=["bias"]) == []


@pytest.mark.parametrize(
    ("code", "x", "y"),
    [
        ("KG602", X[:, :5], None),
        ("KG603", X + 5, None),
        ("KG603", X * np.nan, None),
        ("KG607", X, Y[:5]),
        ("KG607", X, Y + 9),
        ("KG607", X, Y + 0.5),
    ],
)
def test_odd_data_are_refused(code: str, x: np.ndarray, y: np.ndarray | None) -> None:
    with pytest.raises(KgennError, match=code):
        kgenn.compile(network(), "reference").evaluate(x, y)


def test_one_hot_labels_count_as_classes() -> None:
    compiled = kgenn.compile(network(), "reference")
    assert compiled.evaluate(X, np.eye(4)[Y]).accuracy == compiled.evaluate(X, Y).accuracy


def test_an_unknown_target_lists_the_known_ones() -> None:
    with pytest.raises(KgennError, match=r"KG503.*gpu: unknown target(.|\n)*cpu, (.*, )?reference"):
        kgenn.compile(network(), "gpu")


def test_raw_pixels_are_scaled_as_the_model_was_trained() -> None:
    pixels = (X * 255).astype(np.uint8)
    scaled = samples(pixels, (6, 6, 3), "1/255")
    assert np.array_equal(scaled, (pixels / 255.0).astype(np.float32))


def test_a_record_of_a_model_names_the_file_without_its_folder(tmp_path: Path) -> None:
    (tmp_path / "m.h5").write_bytes(b"abc")
    record = model_record(tmp_path / "m.h5")
    assert record["file"] == "m.h5"
    assert len(record["sha256"]) == 64


def test_names_stand_for_default_options() -> None:
    named = network(converter="burst", encoder="poisson")
    assert network_text(named) == network_text(network(converter=kgenn.Burst(), encoder=kgenn.Poisson()))
    assert kgenn.check(build("bias_conv"), allow="bias") == []


def test_any_whole_number_is_a_number_of_timesteps() -> None:
    for timesteps in (np.int64(7), np.uint8(7), np.array(7)):
        net = kgenn.convert(GRAPH, calibration=X, timesteps=timesteps)
        assert (net.num_timesteps, type(net.num_timesteps)) == (7, int)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"timesteps": 2.5}, "KG401.*timesteps: is 2.5"),
        ({"timesteps": "64"}, "KG401.*timesteps: is '64'"),
        ({"converter": kgenn.DataNorm}, "KG401.*converter: is <class"),
        ({"converter": "data-nrom"}, "KG401.*data-nrom: unknown converter"),
        ({"encoder": 3}, "KG401.*encoder: is 3"),
        ({"residual": "identiy"}, "KG401.*residual: is 'identiy'"),
        ({"pooling": "popluation"}, "KG401.*pooling: is 'popluation'"),
        ({"timesteps": True}, "KG401.*timesteps: is True"),
        ({"timesteps": 2**31}, "KG401.*timesteps: is 2147483648; at most 8388608"),
        ({"timesteps": "auto", "most_timesteps": 2**31}, "KG401.*most_timesteps: is 2147483648; at most"),
        ({"timesteps": "auto", "most_timesteps": 2.5}, "KG401.*most_timesteps: is 2.5"),
        ({"timesteps": "auto", "loss": "1"}, "KG401.*loss: is '1'"),
        ({"seed": 1.5}, "KG401.*seed: is 1.5"),
        ({"seed": None}, "KG401.*seed: is None"),
        ({"seed": 2**32}, "KG401.*seed: is 4294967296; at most 4294967295"),
        ({"pieces": 2.5}, "KG401.*pieces: is 2.5"),
        ({"pieces": True}, "KG401.*pieces: is True"),
        ({"weight_bits": 3}, "KG401.*weight_bits: is 3; at least 4"),
        ({"weight_bits": 17}, "KG401.*weight_bits: is 17; at most 16"),
        ({"weight_bits": "foo"}, "KG401.*weight_bits: is 'foo'\n.*whole number, or 'auto'"),
        ({"weight_bits": 8.5}, "KG401.*weight_bits: is 8.5"),
        ({"weight_bits": True}, "KG401.*weight_bits: is True"),
        ({"converter": []}, r"KG401.*converter: is \[\]"),
        ({"readout": 3}, "KG401.*readout: .*no readout 3"),
        ({"check": "no"}, "KG401.*check: is 'no'"),
        ({"frames": 1}, "KG401.*frames: is 1"),
        ({"threshold": math.nan}, "KG401.*threshold: is nan"),
        ({"calibration": np.array(3.0)}, r"KG402.*a single value, 3.0"),
        ({"allow": None}, "KG401.*allow: is None"),
        ({"allow": [3]}, r"KG401.*allow: is \[3\]"),
        ({"calibration": (x for x in X)}, r"KG402.*is a generator\n.*numpy.stack"),
        ({"calibration": None}, "KG402.*is None"),
        ({"calibration": 3.0}, "KG402.*is 3.0"),
        ({"calibration": "cal.npz"}, r"KG402.*is the text 'cal.npz'\n.*numpy.load"),
        ({"calibration": {"y": X}}, "KG402.*got the array y"),
        ({"calibration": (X, Y)}, r"KG402.*is a tuple that NumPy(.|\n)*labels are an argument of their own"),
        ({"calibration": [X[0], X[1][:2]]}, r"KG402.*is a list that NumPy(.|\n)*samples of one shape"),
        ({"calibration": X.astype(complex)}, "KG402.*type complex128"),
        ({"calibration": X.astype(object)}, "KG402.*type object"),
        (
            {"calibration": np.where(np.arange(30) == 17, np.nan, X.T).T},
            "KG402.*not finite, the first in sample 17",
        ),
        (
            {"calibration": np.where(np.arange(30) == 17, np.inf, X.T).T},
            "KG402.*not finite, the first in sample 17",
        ),
    ],
)
def test_odd_options_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(KgennError, match=told):
        kgenn.convert(GRAPH, **{"calibration": X, "timesteps": 4, **options})


OF_KIND: dict[type, Any] = {bool: "yes", int: 2.5, float: "99", str: 3}
OPTIONS = [
    pytest.param(cls, option, id=f"{cls.__name__}-{option.name}")
    for cls in (
        *CONVERTERS.usable().values(),
        *ENCODERS.usable().values(),
        LoweringOptions,
        TimestepSearch,
        RunOptions,
    )
    for option in options_of(cls)
]


@pytest.mark.parametrize(("cls", "option"), OPTIONS)
def test_an_option_of_another_type_is_named(cls: type, option: Option) -> None:
    value = "no such choice" if option.choices else OF_KIND[option.kind]
    with pytest.raises(KgennError, match=f"KG401.*{option.name}.* is {value!r}"):
        cls(**{option.name: value})


@pytest.mark.parametrize("path", [None, 3, "a\0b"])
def test_what_is_no_path_is_refused(path: Any) -> None:
    compiled = kgenn.compile(network(), "reference")
    for take, code in (
        (kgenn.load, "KG10[12]"),
        (kgenn.open_directory, "KG605"),
        (kgenn.verify, "KG605"),
        (compiled.save, "KG606"),
    ):
        with pytest.raises(KgennError, match=code):
            take(path)


def test_only_options_of_a_run_are_options_of_a_run(tmp_path: Path) -> None:
    for take in (kgenn.open_directory, kgenn.verify):
        with pytest.raises(KgennError, match=r"KG401.*options: is 3\n.*RunOptions"):
            take(tmp_path, 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(), (3,), (6, 1)])
def test_a_model_predicts_samples_of_its_own_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(KgennError, match=r"KG602.*input: takes samples of shape .*, got an array of shape \("):
        GRAPH.predict(np.zeros((4, *shape), np.float32))


@pytest.mark.parametrize("shape", [None, 6, "6", (6.0,), ()])
def test_the_shape_of_raw_samples_is_one(shape: Any) -> None:
    with pytest.raises(KgennError, match=r"KG401.*input shape: is"):
        kgenn.samples(X, shape)


@pytest.mark.parametrize("confidence", ["0.9", None, [0.9], math.nan, 0, 2])
def test_the_confidence_of_early_exit_is_a_share(confidence: Any) -> None:
    with pytest.raises(KgennError, match=r"KG401.*early exit"):
        ExitTally(network(), confidence, {})


@pytest.mark.parametrize("x", [(x for x in X), None, 3.0, "x.npz", [X[0], X[1][:2]], X * 1j, X.astype(object)])
def test_data_that_are_no_array_of_numbers_are_refused_wherever_they_are_taken(x: Any) -> None:
    compiled = kgenn.compile(network(), "reference")
    result = compiled.evaluate(X[:2])
    takers = [
        compiled.evaluate,
        compiled.compare,
        lambda x: next(compiled.trace(x)),
        lambda x: compiled.with_ann(x, Y, result),
        lambda x: samples(x, GRAPH.input_shape),
    ]
    for take in takers:
        with pytest.raises(KgennError, match="KG602"):
            take(x)


@pytest.mark.parametrize("y", [[[1], [2, 3]], None, "y.npz"])
def test_labels_that_are_no_array_are_refused(y: Any) -> None:
    with pytest.raises(KgennError, match="KG607"):
        check_labels(y, 2, 4)


def test_truth_values_are_labels_of_two_classes_alone() -> None:
    truth = np.array([True, False])
    assert np.array_equal(check_labels(truth, 2, 2), [1, 0])
    assert np.array_equal(check_labels(np.eye(5)[:2] > 0, 2, 5), [0, 1])
    with pytest.raises(KgennError, match=r"KG607.*True or False"):
        check_labels(truth, 2, 5)


def test_only_a_network_is_compiled() -> None:
    with pytest.raises(KgennError, match=r"KG401.*network: is a Graph\n.*kgenn.convert"):
        kgenn.compile(GRAPH)  # type: ignore[arg-type]
    for export in (kgenn.to_nir, kgenn.to_ml_genn):
        with pytest.raises(KgennError, match=r"KG401.*network: is a CompiledNetwork\n.*attribute network"):
            export(kgenn.compile(network(), "reference"))  # type: ignore[arg-type]


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, True, None, "8"])
def test_a_batch_holds_at_least_one_sample(batch_size: int) -> None:
    with pytest.raises(KgennError, match="KG401"):
        kgenn.compile(network(), "reference").evaluate(X, batch_size=batch_size)


@pytest.mark.parametrize(
    ("text", "converter"),
    [
        ("few-spike", kgenn.FewSpike()),
        ("data-norm --percentile 99.9 --channelwise", kgenn.DataNorm(percentile=99.9, channelwise=True)),
        ("data-norm --percentile=99.9 --no-channelwise", kgenn.DataNorm(percentile=99.9, channelwise=False)),
        ("threshold-relu", kgenn.ThresholdReLU()),
    ],
)
def test_a_text_names_a_converter_with_its_options(text: str, converter: Any) -> None:
    assert recipe_of(text).converter == converter


def test_a_text_names_an_encoder_with_its_options() -> None:
    assert recipe_of(encoder="spike --binarise 0.5").encoder == kgenn.Spike(binarise=0.5)
    assert recipe_of(encoder={"image": "poisson"}).encoders == (("image", kgenn.Poisson()),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data-norm --percentil 9", "has no option --percentil.*did you mean '--percentile'"),
        ("data-norm --percentile nine", "--percentile is 'nine'.*give a number"),
        ("data-norm --percentile", "--percentile is ''"),
        ("data-norm 99.9", "has no option 99.9"),
        ("data-norm 'x", "No closing quotation"),
        ("", "unknown converter"),
        (kgenn.DataNorm, r"call it: DataNorm\(\)"),
    ],
)
def test_a_text_that_is_no_converter_says_what_is(text: Any, message: str) -> None:
    with pytest.raises(KgennError, match=rf"(?s)KG401.*{message}"):
        recipe_of(text)


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        (lambda x: x[0], r"pass x\[None\]"),
        (lambda x: np.moveaxis(x, -1, 1), r"numpy\.moveaxis\(x, 1, -1\)"),
        (lambda x: x.reshape(len(x), -1), r"x\.reshape\(-1, 6, 6, 3\)"),
        (lambda x: x[:, :5], r"give an array of shape \(N, 6, 6, 3\)"),
    ],
)
def test_samples_of_another_shape_are_told_what_makes_them_fit(change: Any, advice: str) -> None:
    compiled = kgenn.compile(network(), "reference")
    for take in (GRAPH.predict, compiled.evaluate, compiled.predict, lambda x: compiled.evaluate(x, Y)):
        with pytest.raises(KgennError, match=rf"(?s)KG602\] input: takes samples of shape \(6, 6, 3\).*{advice}"):
            take(change(X))
    with pytest.raises(KgennError, match=rf"(?s)KG402\] calibration data: takes samples.*{advice}"):
        kgenn.convert(GRAPH, calibration=change(X), timesteps=4)


def test_samples_without_the_axis_of_the_channel_are_told_to_add_it() -> None:
    gray = build("pool_add")
    x = random_samples(gray, 4)
    with pytest.raises(KgennError, match=r"(?s)KG602.*add the axis of the channel: x\[\.\.\., None\]"):
        refuse_shape(x.shape, (*x.shape[1:], 1), "input")


def test_predict_gives_what_stands_for_the_model_s_output() -> None:
    compiled = kgenn.compile(network(), "reference")
    predicted, result = compiled.predict(X, batch_size=7), compiled.evaluate(X)
    assert isinstance(predicted, np.ndarray)
    assert predicted.shape == np.shape(GRAPH.predict(X))
    assert np.array_equal(predicted, result.scores)
    assert np.array_equal(predicted.argmax(axis=1), result.predictions)


def test_a_score_is_the_metric_and_more_of_it_is_better() -> None:
    compiled = kgenn.compile(network(), "reference")
    assert compiled.score(X, Y) == compiled.evaluate(X, Y).accuracy
    targets = np.random.default_rng(2).normal(size=(30, 4)).astype(np.float32)
    result = compiled.evaluate(X, targets, task="regression")
    assert result.metric == "mse"
    own = result.outputs[next(iter(result.outputs))].metrics
    assert compiled.score(X, targets, task="regression") == own["r2"]
    assert compiled.score(X, targets, task="regression", metric="mae") == -own["mae"]
    with pytest.raises(KgennError, match="KG607"):
        compiled.score(X, None)  # type: ignore[arg-type]
