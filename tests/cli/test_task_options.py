"""--task, --metric and --threshold of kgenn compile, run and compare, of one output and of several by name."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from commands import Kgenn
from kgenn.api import compile, convert

PNG = b"\x89PNG\r\n"
COUNT = 80


def model() -> keras.Model:
    keras.utils.set_random_seed(3)
    layers = keras.layers
    x = keras.Input((8, 8, 1), name="image")
    seen = layers.Conv2D(6, 3, padding="same", activation="relu", use_bias=False)(x)
    mask = layers.Conv2D(1, 1, activation="sigmoid", use_bias=False, name="mask")(seen)
    flat = layers.Dense(12, activation="relu", use_bias=False)(layers.Flatten()(seen))
    size = layers.Dense(1, use_bias=False, name="size")(flat)
    kind = layers.Dense(3, use_bias=False, name="kind")(flat)
    return keras.Model(x, [mask, size, kind], name="scene")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with a model and labelled data."""
    path = tmp_path_factory.mktemp("scene")
    found = model()
    found.save(path / "scene.keras")
    x = np.random.default_rng(0).uniform(0, 1, (COUNT, 8, 8, 1)).astype(np.float32)
    mask, size, kind = (np.asarray(values) for values in found(x))
    labels = {"mask": (mask[..., 0] > 0.5).astype(np.uint8), "size": size[:, 0], "kind": kind.argmax(axis=1)}
    np.savez(path / "data.npz", image=x, **labels)
    return path


@pytest.fixture(scope="module")
def made(directory: Path) -> Path:
    """Return the network of the model."""
    x = np.load(directory / "data.npz")["image"]
    network = convert(directory / "scene.keras", calibration=x, timesteps=32)
    compile(network, "reference").save(directory / "out")
    return directory / "out"


def test_each_output_has_its_task_and_metric(kgenn: Kgenn, made: Path, directory: Path) -> None:
    found = kgenn("run", made, "--data", directory / "data.npz", "--json").json["outputs"]
    assert {name: own["metric"] for name, own in found.items()} == {
        "mask": "pixel-accuracy",
        "size": "mse",
        "kind": "accuracy",
    }
    assert found["mask"]["value"] > 0.9
    assert found["mask"]["accuracy"] is found["size"]["accuracy"] is None
    assert found["kind"]["accuracy"] == found["kind"]["value"] > 0.8


def test_flags_set_them_by_name(kgenn: Kgenn, made: Path, directory: Path) -> None:
    flags = ("--metric", "mask=mean-iou", "--metric", "size=r2", "--task", "size=regression", "--curve")
    done = kgenn("run", made, "--data", directory / "data.npz", *flags)
    assert done.code == 0
    assert "mean IoU of mask" in done.out
    assert "regression\n" in done.out
    steps = done.out.split("steps")[-1]
    assert all(name in steps for name in ("mean IoU of mask", "R² of size", "accuracy of kind"))
    compared = kgenn("compare", made, "--data", directory / "data.npz", *flags[:6], "--json").json["outputs"]
    assert (compared["size"]["metric"], compared["mask"]["metric"]) == ("r2", "mean-iou")
    assert compared["size"]["ann_value"] > 0.99


def test_what_compile_is_given_holds_for_runs(kgenn: Kgenn, directory: Path) -> None:
    data, out = directory / "data.npz", directory / "logits"
    flags = ("--task", "size=binary", "--threshold", "size=0", "--threshold", "mask=0.4")
    steps = ("--calibration", data, "--timesteps", 4, "--target", "reference")
    done = kgenn("compile", directory / "scene.keras", *steps, "-o", out, *flags)
    assert done.code == 0, done.err
    x = {name: array for name, array in np.load(data).items() if name in ("image", "mask", "kind")}
    np.savez(directory / "some.npz", **x, size=np.arange(COUNT) % 2)
    found = kgenn("run", out, "--data", directory / "some.npz", "--json").json["outputs"]
    assert (found["size"]["task"], found["mask"]["task"]) == (
        "binary, threshold 0",
        "segmentation, threshold 0.4 (guessed: ends in sigmoid)",
    )


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (("--task", "nose=binary"), "KG401"),
        (("--task", "size=classes"), "KG401"),
        (("--task", "size=binary"), "KG401"),
        (("--metric", "f2"), "KG401"),
        (("--task", "regression", "--task", "size=regression"), "KG401"),
        (("--threshold", "mask=half"), "KG401"),
        (("--task", "kind=multi-label", "--threshold", "kind=0"), "KG607"),
        (("--early-exit", "0.9"), "KG401"),
        (("--picture", "out.gif"), "KG401"),
    ],
)
def test_what_an_output_cannot_have_is_refused(
    kgenn: Kgenn, made: Path, directory: Path, flags: tuple[str, ...], code: str
) -> None:
    assert kgenn("run", made, "--data", directory / "data.npz", *flags).codes == [code]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            ("--metric", "accuracy"),
            "metric: accuracy is for kind (classes); mask is segmentation (guessed: ends in sigmoid), size is "
            "regression|name the output that it is for: --metric kind=accuracy",
        ),
        (("--metric", "mse"), "mse is for size (regression); mask is segmentation|--metric size=mse"),
        (("--threshold", "0.4"), "0.4 is for mask (segmentation); size is regression|--threshold mask=0.4"),
        (
            ("--task", "binary"),
            "binary is for size; |not for kind: it is of one value, and the output has|--task size=binary",
        ),
        (("--metric", "f2"), "metric of mask: the task segmentation has no metric 'f2'"),
        (("--metric", "size=accuracy"), "metric of size: the task regression has no metric 'accuracy'"),
    ],
)
def test_an_option_for_all_outputs_that_only_some_can_have_names_them(
    kgenn: Kgenn, made: Path, directory: Path, flags: tuple[str, ...], words: str
) -> None:
    done = kgenn("run", made, "--data", directory / "data.npz", *flags)
    assert done.codes == ["KG401"]
    assert all(part in done.err for part in words.split("|")), done.err


def test_maps_and_values_are_drawn_beside_the_model_s(kgenn: Kgenn, made: Path, directory: Path) -> None:
    png, svg = directory / "out.png", directory / "out.svg"
    for path in (png, svg):
        assert kgenn("run", made, "--data", directory / "data.npz", "--picture", path).code == 0
    assert png.read_bytes().startswith(PNG)
    text = svg.read_text()
    assert all(words in text for words in ("mask: segmentation", "size: regression", "label", "model", "spiking"))
    assert "kind" not in text
