"""The script that trains caps: what it writes, and that it goes on from a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from keras import layers
from numpy.testing import assert_allclose

import kgenn
from benchmarks.zoo import train_thresholds
from benchmarks.zoo.data import mirror


def untrained() -> Any:
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu", use_bias=False),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(8, activation="relu", use_bias=False),
            layers.Dense(2, activation="softmax", use_bias=False),
        ]
    )


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the paths of an untrained network and of random data, 96 training images."""
    folder, rng = tmp_path_factory.mktemp("task"), np.random.default_rng(2)
    x = rng.integers(0, 256, (96, 8, 8), dtype=np.uint8)
    y = (x.mean(axis=(1, 2)) > 127).astype(np.uint8)
    np.savez(folder / "data.npz", x_train=x, y_train=y, x_test=x[:32], y_test=y[:32])
    untrained().save(folder / "init.keras")
    return folder / "init.keras", folder / "data.npz"


def trained(task: tuple[Path, Path], output: Path, *options: str) -> list[Any]:
    """Run the script, and return the weights and caps that it wrote."""
    init, data = task
    arguments = ["--init", str(init), "--data", str(data), "-o", str(output), "--batch-size", "32", "--flip"]
    result = CliRunner().invoke(train_thresholds.main, [*arguments, *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    model = keras.models.load_model(output, compile=False)
    caps = [layer.max_value for layer in model.layers if isinstance(layer, layers.ReLU)]
    return [*model.get_weights(), *map(np.asarray, caps)]


@pytest.mark.slow
def test_the_script_trains_weights_and_caps(task: tuple[Path, Path], tmp_path: Path) -> None:
    start = trained(task, tmp_path / "start.keras", "--epochs", "0")
    end = trained(task, tmp_path / "end.keras", "--epochs", "2")
    assert all((a != b).any() for a, b in zip(start, end, strict=True))
    facts = json.loads((tmp_path / "end.json").read_text(encoding="utf-8"))
    assert facts["epochs"] == 2
    assert_allclose(list(facts["caps"].values()), end[-2:], rtol=1e-6)
    images_, labels = np.load(task[1])["x_test"], np.load(task[1])["y_test"]
    scores = kgenn.load(tmp_path / "end.keras").predict(images_[..., np.newaxis] / np.float32(255))
    assert facts["test_accuracy"] == pytest.approx(np.mean(scores.argmax(axis=1) == labels))


@pytest.mark.slow
def test_a_stronger_penalty_gives_smaller_caps(task: tuple[Path, Path], tmp_path: Path) -> None:
    options = ("--epochs", "2", "--learning-rate", "0.02")
    free = trained(task, tmp_path / "free.keras", *options, "--penalty", "0")[-2:]
    penalised = trained(task, tmp_path / "penalised.keras", *options, "--penalty", "1")[-2:]
    assert np.all(np.less(penalised, free))


def failing_at(call: int, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that does the same but in the given call raises RuntimeError."""
    count = 0

    def wrapped(*args: Any) -> Any:
        nonlocal count
        count += 1
        if count == call:
            raise RuntimeError("interrupted")
        return function(*args)

    return wrapped


@pytest.mark.slow
def test_a_training_that_was_interrupted_ends_as_one_that_was_not(
    task: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained(task, tmp_path / "whole.keras", "--epochs", "3")
    options = ("--epochs", "3", "--checkpoint", str(tmp_path / "checkpoint.keras"))
    mirror = train_thresholds.mirror
    monkeypatch.setattr(train_thresholds, "mirror", failing_at(3, mirror))  # in the third epoch
    with pytest.raises(RuntimeError, match="interrupted"):
        trained(task, tmp_path / "resumed.keras", *options)
    assert not (tmp_path / "resumed.keras").exists()
    monkeypatch.setattr(train_thresholds, "mirror", failing_at(2, mirror))  # one epoch is left
    resumed = trained(task, tmp_path / "resumed.keras", *options)
    for found, expected in zip(resumed, whole, strict=True):
        assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_the_augmentation_mirrors_about_half_of_the_images() -> None:
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (400, 3, 4, 2), dtype=np.uint8)
    found = mirror(images, rng)
    same = (found == images).all(axis=(1, 2, 3))
    turned = (found == np.flip(images, axis=2)).all(axis=(1, 2, 3))
    assert (same ^ turned).all()
    assert 150 < same.sum() < 250
