"""Sweeps of models with several inputs and outputs, on frames, and of maps: the figures and pictures of each."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from covering import leading
from kgenn.cli import invoke
from sweeps import cells, written

Kgenn = Callable[..., tuple[int, str, str]]
L = keras.layers
RNG = np.random.default_rng(4)
END = '\ncalibration = { samples = 48 }\ntarget = "reference"\nlayer-samples = 2\n'
TWO = """title = "two"
models = "two.keras"
data = "two.npz"
scale = { image = "1/255" }
task = { kind = "classes" }
metric = { box = "r2" }
limit = 20
"""
SWEEP = '[[sweep]]\nconverter = ["data-norm", "few-spike"]\ntimesteps = 6\n'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with models and data."""
    directory = tmp_path_factory.mktemp("several")
    keras.utils.set_random_seed(2)
    image, meta = keras.Input((6, 6, 1), name="image"), keras.Input((3,), name="meta")
    seen = L.Flatten()(L.Conv2D(3, 3, activation="relu", use_bias=False)(image))
    told = L.Dense(4, activation="relu", use_bias=False)(meta)
    joined = L.Dense(9, activation="relu", use_bias=False)(L.Concatenate()([seen, told]))
    ends = [
        L.Dense(3, "softmax", use_bias=False, name="kind")(joined),
        L.Dense(2, use_bias=False, name="box")(joined),
    ]
    two = keras.Model([image, meta], ends)
    two.save(directory / "two.keras")
    pixels, numbers = RNG.integers(0, 256, (80, 6, 6, 1), np.uint8), RNG.random((80, 3), np.float32)
    kind, box = (np.asarray(values) for values in two((pixels / np.float32(255), numbers)))
    labels = {"kind": kind.argmax(1), "box": box + RNG.normal(0, 0.02, box.shape)}
    np.savez(directory / "two.npz", image=pixels, meta=numbers, **labels)
    inside = keras.Input((5, 5, 1))
    hidden = L.Conv2D(4, 3, padding="same", activation="relu", use_bias=False)(inside)
    ends = L.Conv2D(3, 1, activation="softmax", use_bias=False, name="map")(hidden)
    maps = keras.Model(inside, ends)
    maps.save(directory / "maps.keras")
    x = RNG.random((80, 5, 5, 1), np.float32)
    np.savez(directory / "maps.npz", x=x, y=np.asarray(maps(x)).argmax(-1))
    line = keras.Sequential(
        [keras.Input((8,)), L.Dense(6, "relu", use_bias=False), L.Dense(12), L.Reshape((12, 1))]
    )
    line.save(directory / "line.keras")
    x = RNG.random((80, 8), np.float32)
    np.savez(directory / "line.npz", x=x, y=np.asarray(line(x)))
    spiky = keras.Sequential([keras.Input((6,)), L.Dense(8, "relu", use_bias=False), L.Dense(3, use_bias=False)])
    spiky.save(directory / "spiky.keras")
    events = RNG.uniform(size=(80, 15, 6)) < RNG.uniform(0, 0.9, (80, 1, 6))
    np.savez(directory / "events.npz", x=events, y=np.asarray(spiky(events.mean(1).astype("f"))).argmax(1))
    return directory


@pytest.fixture
def run(place: Path, kgenn: Kgenn, tmp_path: Path) -> Callable[[str], tuple[list[dict[str, Any]], str]]:
    """Return a function that runs a sweep and gives its lines and what was printed."""

    def call(text: str) -> tuple[list[dict[str, Any]], str]:
        config = written(place, text, f"{tmp_path.name}.toml")
        code, out, error = kgenn("bench", config, "-o", tmp_path / "results", "--workers", 1)
        assert code == 0, error
        return cells(tmp_path / "results"), out

    return call


def rerun(line: dict[str, Any], place: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> dict[str, Any]:
    """Return what the commands of a line give."""
    monkeypatch.chdir(place)
    make, run = line["rerun"]["command"]
    assert invoke([*shlex.split(make)[1:], "--overwrite"]) == 0
    capfd.readouterr()
    assert invoke(shlex.split(run)[1:]) == 0
    found: dict[str, Any] = json.loads(capfd.readouterr().out)
    return found


def test_a_sweep_has_the_figures_of_every_output_and_their_models(
    run: Any, place: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any, tmp_path: Path
) -> None:
    lines, out = run(TWO + END + SWEEP)
    heading = next(line for line in out.splitlines() if "accuracy of kind" in line).split()
    # of the model's accuracy a share, and of R², which has no zero, a difference
    assert heading.index("share") < heading.index("R²") < heading.index("difference")
    for line in lines:
        result = line["result"]
        assert {name: own["metric"] for name, own in result["outputs"].items()} == {
            "kind": "accuracy",
            "box": "r2",
        }
        assert result["outputs"]["kind"]["ann_value"] == 1.0 == result["ann_value"]
        assert 0.5 < result["outputs"]["box"]["ann_value"] < 1
        again = rerun(line, place, monkeypatch, capfd)
        for name, own in result["outputs"].items():
            assert again["outputs"][name]["value"] == own["value"]
    assert invoke(["report", str(tmp_path / "results")]) == 0
    report = tmp_path / "results/report"
    page, table = (report / "index.html").read_text(), (report / "cells.csv").read_text()
    assert all(words in page for words in ("accuracy of kind", "R² of box", "R² of box over timesteps"))
    first, second = table.splitlines()[:2]
    entries = dict(zip(first.split(","), second.split(","), strict=False))
    box = lines[0]["result"]["outputs"]["box"]
    assert float(entries["difference of box"]) == box["value"] - box["ann_value"]
    assert entries["share of box"] == entries["difference of kind"] == ""
    assert "<dt>difference</dt>" in page


@pytest.mark.slow
@pytest.mark.parametrize(
    "encoders",
    leading(
        ['"image=poisson, meta=if", "meta=poisson"', '{ image = "poisson", meta = "if" }, { meta = "poisson" }']
    ),
)
def test_inputs_have_encoders_of_their_own(
    run: Any, place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], encoders: str
) -> None:
    sweep = f'[[sweep]]\nconverter = "data-norm"\nencoder = [{encoders}]\ntimesteps = 6\n'
    lines, out = run(TWO + END + sweep)
    assert "image=poisson, meta=if" in out
    recorded = [line["rerun"]["options"]["encoders"] for line in lines]
    assert [{name: own["name"] for name, own in entry.items()} for entry in recorded] == [
        {"image": "poisson", "meta": "if"},
        {"meta": "poisson"},
    ]
    for line in lines:
        assert (
            rerun(line, place, monkeypatch, capfd)["outputs"]["box"]["value"]
            == line["result"]["outputs"]["box"]["value"]
        )


@pytest.mark.slow
def test_names_with_commas_and_equal_signs_have_encoders_scales_and_tasks(
    run: Any, place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    names, ends = ("left, front", "a=b"), ("kind, of", "size")
    inputs = {name: keras.Input((4,), name=name) for name in names}
    told = L.Concatenate()([L.Dense(5, "relu", use_bias=False)(x) for x in inputs.values()])
    odd = keras.Model(inputs, {name: L.Dense(3, use_bias=False)(told) for name in ends})
    odd.save(place / "odd.keras")
    x = {name: RNG.integers(0, 256, (60, 4), np.uint8) for name in names}
    labels = {"kind, of": RNG.integers(0, 3, 60), "size": RNG.random((60, 3))}
    np.savez(place / "odd.npz", **x, **labels)
    head = (
        'title = "o"\nmodels = "odd.keras"\ndata = "odd.npz"\nlimit = 9\n'
        'scale = { "left, front" = "1/255", "a=b" = "1/256" }\n'
        'task = { "kind, of" = "classes", size = "regression" }\n'
    )
    table, text = '{ "left, front" = "poisson", "a=b" = "if" }', "'\"left, front=if\", a=b=poisson'"
    lines, _ = run(
        head + END + f'[[sweep]]\nconverter = "data-norm"\ntimesteps = 6\nencoder = [{table}, {text}]\n'
    )
    found = [{n: own["name"] for n, own in line["rerun"]["options"]["encoders"].items()} for line in lines]
    assert found == [{"left, front": "poisson", "a=b": "if"}, {"left, front": "if", "a=b": "poisson"}]
    assert lines[0]["axes"]["encoder"] == '"left, front=poisson", a=b=if'
    for line in lines:
        assert (
            rerun(line, place, monkeypatch, capfd)["outputs"]["size"]["value"]
            == line["result"]["outputs"]["size"]["value"]
        )


def test_a_text_of_encoders_that_is_no_list_is_refused(place: Path, kgenn: Kgenn, tmp_path: Path) -> None:
    sweep = '[[sweep]]\nconverter = "data-norm"\ntimesteps = 6\nencoder = \'"image=poisson\'\n'
    code, _, error = kgenn("bench", written(place, TWO + END + sweep, "quote.toml"), "-o", tmp_path / "results")
    assert code == 1
    assert "KG620" in error
    assert "is not a list" in error
    assert "give a table of inputs" in error


def test_inputs_have_shapes_of_their_own(
    run: Any, place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    wave, meta = keras.Input((None, 1), name="wave"), keras.Input((3,), name="meta")
    seen = L.GlobalAveragePooling1D()(L.Conv1D(3, 2, activation="relu", use_bias=False)(wave))
    told = L.Dense(4, activation="relu", use_bias=False)(meta)
    open_size = keras.Model([wave, meta], L.Dense(3, "softmax", use_bias=False)(L.Concatenate()([seen, told])))
    open_size.save(place / "open.keras")
    x = {"wave": RNG.random((60, 7, 1), np.float32), "meta": RNG.random((60, 3), np.float32)}
    np.savez(place / "open.npz", **x, y=np.asarray(open_size(list(x.values()))).argmax(1))
    head = 'title = "s"\nmodels = "open.keras"\ndata = "open.npz"\nlimit = 9\ninput-shape = { wave = [7, 1] }\n'
    (line,), _ = run(head + END + '[[sweep]]\nconverter = "data-norm"\ntimesteps = 6\n')
    assert line["rerun"]["model"]["input_shape"] == {"wave": [7, 1]}
    assert "--input-shape wave=7,1" in line["rerun"]["command"][0]
    assert rerun(line, place, monkeypatch, capfd)["value"] == line["result"]["value"]


@pytest.mark.slow
def test_a_sweep_over_frames_runs_as_many_steps_as_there_are(
    run: Any, place: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any, tmp_path: Path
) -> None:
    head = 'title = "f"\nmodels = "spiky.keras"\ndata = "events.npz"\nframes = true\nlimit = 20\n'
    lines, out = run(head + END + '[[sweep]]\nconverter = ["data-norm", "burst"]\nencoder = "spike"\n')
    assert "frames" in out
    for line in lines:
        assert line["result"]["num_timesteps"] == 15
        assert line["result"]["ann_value"] == 1.0
        assert line["result"]["layers"]
        assert rerun(line, place, monkeypatch, capfd)["value"] == line["result"]["value"]
    assert invoke(["report", str(tmp_path / "results")]) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form", "classes"), leading([("maps", "map", 3), ("line", "signal", 0)]))
def test_maps_and_signals_are_kept_and_drawn_beside_the_model_s(
    run: Any, tmp_path: Path, name: str, form: str, classes: int
) -> None:
    head = f'title = "m"\nmodels = "{name}.keras"\ndata = "{name}.npz"\nlimit = 20\nallow = ["bias"]\n'
    lines, _ = run(head + END + SWEEP)
    (shown,) = lines[0]["result"]["shown"]
    assert (shown["form"], shown["classes"], list(shown["columns"])) == (
        form,
        classes,
        ["label", "model", "spiking"],
    )
    model, label = shown["columns"]["model"], shown["columns"]["label"]
    assert model["shape"][0] == 2
    np.testing.assert_allclose(model["values"], label["values"], atol=0.01 if form == "signal" else 0)
    assert invoke(["report", str(tmp_path / "results")]) == 0
    plots = [path.name for path in (tmp_path / "results/report/plots").iterdir()]
    assert any("-output-" in plot for plot in plots)
    assert "<image" not in (tmp_path / "results/report/index.html").read_text()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TWO.replace("image =", "picture =") + END + SWEEP, "KG401"),
        (TWO + END + SWEEP + 'encoder = "picture=direct"', "KG401"),
        (TWO + END + SWEEP + 'encoder = "image=directly"', "KG620"),
        (TWO.replace("box =", "bax =") + END + SWEEP, "KG401"),
        (TWO.replace('"classes"', '"class"') + END + SWEEP, "KG620"),
        (TWO.replace("1/255", "a") + END + SWEEP, "KG620"),
        (TWO + "frames = true" + END + SWEEP, "KG620"),
        (TWO + "frames = 1" + END + SWEEP, "KG620"),
        (TWO + "frames = true" + END + SWEEP.replace("timesteps = 6", ""), "KG402"),
    ],
)
def test_what_does_not_go_together_is_one_diagnostic(
    place: Path, kgenn: Kgenn, tmp_path: Path, text: str, words: str
) -> None:
    config = written(place, text, f"{tmp_path.name}.toml")
    code, _, error = kgenn("bench", config, "-o", tmp_path / "results", "--workers", 1)
    assert code == 1
    assert words in error
    assert "Traceback" not in error
