"""Models with several inputs and outputs on the command line: options and data of each by its name."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import keras
import numpy as np
import pytest

from commands import Kgenn
from ported_models import arrays, labels_of, two_inputs

OPTIONS = ("--timesteps", 16, "--target", "reference", "--no-check")


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return two_inputs()


@pytest.fixture(scope="module")
def path(model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("models") / "ported.keras"
    model.save(file)
    return file


@pytest.fixture(scope="module")
def named(model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return data with the names of inputs and outputs, and an array that is neither."""
    file = tmp_path_factory.mktemp("data") / "named.npz"
    np.savez(file, **arrays(), **labels_of(model), ids=np.arange(3))
    return file


@pytest.fixture(scope="module")
def numbered(model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same data with numbers, in the layout of keras.datasets."""
    x = {f"x_{i}": array for i, array in enumerate(arrays().values())}
    y = {f"y_{i}": array for i, array in enumerate(labels_of(model).values())}
    both = {f"{name}_{split}": array for split in ("train", "test") for name, array in {**x, **y}.items()}
    file = tmp_path_factory.mktemp("data") / "numbered.npz"
    np.savez(file, **both)
    return file


@pytest.fixture
def compiled(kgenn: Kgenn, path: Path, named: Path, tmp_path: Path) -> Path:
    options = ("--calibration", named, "--encoder", "image=poisson", *OPTIONS)
    done = kgenn("compile", path, *options, "-o", tmp_path / "out")
    assert (done.code, done.err) == (0, "")
    return tmp_path / "out"


def test_named_and_numbered_arrays_are_the_same_data(
    kgenn: Kgenn, compiled: Path, named: Path, numbered: Path
) -> None:
    runs = [kgenn("run", compiled, "--data", data, "--json").json for data in (named, numbered)]
    one, two = ({**run, "wall_seconds": 0, "cpu_seconds": 0} for run in runs)
    assert one == two
    assert one["outputs"].keys() == {"digit", "aux", "yes"}
    assert all(output["accuracy"] > 0.5 for output in one["outputs"].values())


def test_an_encoder_is_named_with_its_input(kgenn: Kgenn, compiled: Path, path: Path, named: Path) -> None:
    manifest = json.loads((compiled / "manifest.json").read_text())
    assert (manifest["encoder"]["name"], manifest["encoders"]["image"]["name"]) == ("direct", "poisson")
    assert kgenn("inspect", compiled, "--json").json["encoder"] == "image=poisson, meta=direct"
    arguments = ("compile", path, "--calibration", named, *OPTIONS, "-o", compiled)
    options = ("--encoder", "if", "--encoder", "meta=spike", "--binarise", 0.4, "--input-potential", 0.25)
    assert kgenn(*arguments, *options).err == ""
    found = json.loads((compiled / "manifest.json").read_text())
    assert found["encoder"] == {"name": "if", "options": {"input_potential": 0.25}}
    assert found["encoders"] == {"meta": {"name": "spike", "options": {"binarise": 0.4}}}
    assert kgenn(*arguments, "--encoder", "image=if", "--binarise", 0.4).codes == ["KG401"]
    assert kgenn(*arguments, "--encoder", "if", "--encoder", "spike").codes == ["KG401"]
    assert kgenn(*arguments, "--encoder", "picture=if").codes == ["KG401"]


def test_a_scale_is_named_with_its_input_and_holds_for_later_runs(
    kgenn: Kgenn, path: Path, tmp_path: Path
) -> None:
    given = arrays()
    pixels = np.rint(255 * given["image"]).astype(np.uint8)
    np.savez(tmp_path / "bytes.npz", image=pixels, meta=given["meta"])
    np.savez(tmp_path / "reals.npz", image=(pixels / 255).astype(np.float32), meta=given["meta"])
    arguments = ("compile", path, *OPTIONS, "-o", tmp_path / "out", "--calibration", tmp_path / "bytes.npz")
    refused = kgenn(*arguments)
    assert refused.codes == ["KG604"]
    assert "pass --scale image=1/255, or --scale image=1 if" in refused.err
    assert kgenn(*arguments, "--scale", "image=1/255").code == 0
    assert json.loads((tmp_path / "out/manifest.json").read_text())["scale"] == {"image": "1/255"}
    data = [tmp_path / "bytes.npz", tmp_path / "reals.npz"]
    one, two = (kgenn("run", tmp_path / "out", "--data", file, "--json").json for file in data)
    assert one["spikes"] == two["spikes"]
    # an input that the option leaves out keeps its scale
    other = kgenn("run", tmp_path / "out", "--data", data[0], "--json", "--scale", "meta=1").json
    assert other["spikes"] == one["spikes"]
    for wrong in (("picture=1/255",), ("1/255", "--scale", "image=1"), ("image=one",)):
        assert kgenn(*arguments, "--scale", *wrong).codes == ["KG401"]


def test_values_out_of_range_are_told_with_their_input(kgenn: Kgenn, compiled: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "far.npz", image=9 * arrays()["image"], meta=arrays()["meta"])
    done = kgenn("run", compiled, "--data", tmp_path / "far.npz")
    assert done.codes == ["KG603"]
    assert "far.npz, encoder poisson of input image: takes" in done.err
    assert "for example --scale image=1/255;" in done.err


def test_missing_arrays_are_named(kgenn: Kgenn, compiled: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "half.npz", image=arrays()["image"])
    done = kgenn("run", compiled, "--data", tmp_path / "half.npz")
    assert done.codes == ["KG601"]
    assert "has 'image' and no 'meta'; it has image\n" in done.err
    assert "numpy.savez(path, image=..., meta=...)" in done.err
    np.savez(tmp_path / "labels.npz", **arrays(), y=np.zeros(64))
    assert kgenn("run", compiled, "--data", tmp_path / "labels.npz").codes == ["KG607"]
    np.savez(tmp_path / "alone.npz", x=arrays()["image"], y=np.zeros(3))
    assert kgenn("run", compiled, "--data", tmp_path / "alone.npz").codes == ["KG601"]


def test_predictions_are_written_for_each_output(
    kgenn: Kgenn, compiled: Path, named: Path, tmp_path: Path
) -> None:
    assert kgenn("run", compiled, "--data", named, "--predictions", tmp_path / "p.npz", "--limit", 5).code == 0
    with np.load(tmp_path / "p.npz") as found:
        shapes = {name: found[name].shape for name in found}
    assert shapes["digit/scores"] == (5, 3)
    assert shapes["yes/predictions"] == (5,)
    assert len(shapes) == 6


def test_curves_and_comparisons_are_told_for_each_output(kgenn: Kgenn, compiled: Path, named: Path) -> None:
    done = kgenn("run", compiled, "--data", named, "--curve")
    assert all(f"accuracy of {name}" in done.out for name in ("digit", "aux", "yes"))
    lines = kgenn("compare", compiled, "--data", named).out.splitlines()
    named_outputs = [line.split(";")[0] for line in lines if line.startswith("accuracy of ")]
    assert named_outputs == [f"accuracy of output {name}" for name in ("digit", "aux", "yes")]


def test_a_directory_of_several_inputs_verifies(kgenn: Kgenn, compiled: Path) -> None:
    assert kgenn("verify", compiled).code == 0


def test_what_a_format_cannot_hold_is_one_diagnostic(kgenn: Kgenn, compiled: Path, tmp_path: Path) -> None:
    done = kgenn("export", compiled, "--to", "ml-genn", "-o", tmp_path / "n.py")
    assert done.codes == ["KG411"]
    assert "meta: is a constant current" in done.err


def test_several_inputs_and_outputs_are_exported(kgenn: Kgenn, compiled: Path, tmp_path: Path) -> None:
    nir = pytest.importorskip("nir", reason="the package nir is not installed")
    assert kgenn("export", compiled, "--to", "nir", "-o", tmp_path / "n.nir").code == 0
    graph = nir.read(tmp_path / "n.nir")
    assert (set(graph.inputs), set(graph.outputs)) == ({"image", "meta"}, {"digit", "aux", "yes"})


def test_an_early_exit_of_several_outputs_has_the_metric_of_each(
    kgenn: Kgenn, compiled: Path, named: Path, tmp_path: Path
) -> None:
    more = ("--early-exit", "0.4", "--predictions", tmp_path / "p.npz")
    found = kgenn("run", compiled, "--data", named, "--json", *more).json["early_exit"]
    assert set(found["outputs"]) == {"digit", "aux", "yes"}
    assert "– accuracy of yes" in kgenn("run", compiled, "--data", named, "--early-exit", "0.4").out
    with np.load(tmp_path / "p.npz") as arrays:
        assert {"exit_timesteps", "yes/exit_predictions", "digit/predictions"} <= set(arrays)


def test_a_check_tells_what_each_input_becomes(kgenn: Kgenn, path: Path) -> None:
    done = kgenn("check", path, "--encoder", "image=poisson", "--json").json
    becomes = {layer["layer"]: layer["becomes"] for layer in done["layers"]}
    assert becomes["image (InputLayer)"] == becomes["meta (InputLayer)"] == "input population"
    assert kgenn("check", path, "--encoder", "picture=poisson").codes == ["KG401"]


@pytest.mark.filterwarnings("ignore::UserWarning:keras")
def test_a_model_of_a_dictionary_is_spoken_of_by_its_keys(kgenn: Kgenn, tmp_path: Path) -> None:
    one, two = keras.Input((None, 1), name="one"), keras.Input((4,), name="two")
    seen = keras.layers.Flatten()(keras.layers.Conv1D(2, 2, activation="relu", use_bias=False)(one))
    hidden = keras.layers.Dense(5, activation="relu", use_bias=False)(two)
    pooled = keras.layers.GlobalAveragePooling1D()(keras.layers.Reshape((-1, 1))(seen))
    joined = keras.layers.Concatenate()([pooled, hidden])
    end = keras.layers.Dense(3, activation="softmax", use_bias=False)(joined)
    keras.Model({"wave": one, "meta": two}, {"kind": end}).save(tmp_path / "m.keras")
    rng = np.random.default_rng(1)
    wave, meta = rng.integers(0, 256, (40, 6)).astype(np.uint8), rng.random((40, 4), np.float32)
    np.savez(tmp_path / "keys.npz", wave=wave, meta=meta, kind=np.zeros(40, int))
    np.savez(tmp_path / "layers.npz", one=wave, two=meta, kind=np.zeros(40, int))
    printed = []
    for data, name in (("keys", "wave"), ("layers", "one")):
        options = ("--scale", f"{name}=1/255", "--encoder", f"{name}=poisson", *OPTIONS)
        made = kgenn(
            "compile",
            tmp_path / "m.keras",
            "--calibration",
            tmp_path / f"{data}.npz",
            *options,
            "-o",
            tmp_path / data,
        )
        assert made.code == 0, made.err
        assert "wave: takes samples of 6×1" in made.out
        assert json.loads((tmp_path / data / "manifest.json").read_text())["scale"] == {"wave": "1/255"}
        for other in ("keys", "layers"):
            printed.append(
                kgenn("run", tmp_path / data, "--data", tmp_path / f"{other}.npz", "--json").json["spikes"]
            )
    assert all(spikes == printed[0] for spikes in printed)
    assert {"wave", "meta"} <= json.loads((tmp_path / "keys/manifest.json").read_text())["input_shapes"].keys()
    shaped = kgenn("check", tmp_path / "m.keras", "--input-shape", "wave=7,1", "--encoder", "meta=direct")
    assert shaped.code == 0, shaped.err


def test_an_input_with_a_comma_in_its_name_stands_in_quotes(kgenn: Kgenn, tmp_path: Path) -> None:
    inputs = {name: keras.Input((4,), name=name) for name in ("a,b", "c")}
    told = keras.layers.Concatenate()([keras.layers.Dense(3, "relu", use_bias=False)(x) for x in inputs.values()])
    keras.Model(inputs, keras.layers.Dense(2, use_bias=False)(told)).save(tmp_path / "odd.keras")
    x = np.random.default_rng(0).integers(0, 256, (20, 4), np.uint8)
    np.savez(tmp_path / "x.npz", **{"a,b": x, "c": x.astype(np.float32) / 255})
    data = ("--calibration", tmp_path / "x.npz", *OPTIONS, "-o", tmp_path / "out")
    named = ("--encoder", '"a,b=poisson", c=if', "--scale", '"a,b=1/255"')
    assert kgenn("compile", tmp_path / "odd.keras", *data, *named).code == 0
    assert kgenn("inspect", tmp_path / "out", "--json").json["encoder"] == '"a,b=poisson", c=if'
    refused = kgenn("compile", tmp_path / "odd.keras", *data, "--encoder", '"a,b=poisson')
    assert refused.code == 2
    assert "is not a list" in refused.err


def test_a_remedy_is_what_a_shell_takes(kgenn: Kgenn, tmp_path: Path) -> None:
    inputs = [keras.Input((4,), name="left eye"), keras.Input((4,), name="b")]
    told = keras.layers.Concatenate()([keras.layers.Dense(3, "relu", use_bias=False)(x) for x in inputs])
    keras.Model(inputs, keras.layers.Dense(2, use_bias=False)(told)).save(tmp_path / "odd.keras")
    x = np.random.default_rng(0).integers(0, 256, (20, 4), np.uint8)
    np.savez(tmp_path / "x.npz", **{"left eye": x, "b": x.astype(np.float32) / 255})
    arguments = ("compile", tmp_path / "odd.keras", "--calibration", tmp_path / "x.npz", *OPTIONS)
    refused = kgenn(*arguments, "-o", tmp_path / "out")
    assert refused.codes == ["KG604"]
    _, flag, value, *_ = shlex.split(refused.err.partition("help: ")[2].partition(",")[0])
    assert kgenn(*arguments, flag, value, "-o", tmp_path / "out").code == 0
