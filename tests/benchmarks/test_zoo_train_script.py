"""The training script: what it writes, how it augments and begins, and that it goes on from a checkpoint."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.testing import assert_allclose, assert_array_equal

import kgenn
from benchmarks.zoo import train as script
from benchmarks.zoo import training
from benchmarks.zoo.data import Dataset, cutmix, cutout
from benchmarks.zoo.initial import scale_to_unit_variance
from benchmarks.zoo.table import Recipe, variant
from benchmarks.zoo.training import Batches, optimizer


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of random images of MNIST's shape, 96 for training."""
    rng = np.random.default_rng(2)
    x, y = rng.integers(0, 256, (96, 28, 28), dtype=np.uint8), rng.integers(0, 10, 96)
    path = tmp_path_factory.mktemp("data") / "mnist.npz"
    np.savez(path, x_train=x, y_train=y, x_test=x[:32], y_test=y[:32])
    return path


def invoked(data: Path, output: Path, *options: str, name: str = "mnist-cnn") -> Any:
    arguments = [name, "--width", "0.2", "--data", str(data), "-o", str(output), "--batch-size", "32", "--no-jit"]
    return CliRunner().invoke(script.main, [*arguments, *options], catch_exceptions=False)


def trained(data: Path, output: Path, *options: str, name: str = "mnist-cnn") -> list[Any]:
    """Run the script, and return the weights that it wrote."""
    result = invoked(data, output, *options, name=name)
    assert result.exit_code == 0, result.output
    return list(keras.models.load_model(output, compile=False).get_weights())


def test_the_script_writes_a_strict_network_and_all_that_is_needed_to_train_it_again(
    data: Path, tmp_path: Path
) -> None:
    path = tmp_path / "net.h5"
    weights = trained(data, path, "--epochs", "1")
    assert kgenn.check(path) == []
    facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert (facts["architecture"], facts["width"], facts["recipe"]["epochs"], facts["seed"]) == (
        "mnist-cnn",
        0.2,
        1,
        1,
    )
    assert facts["parameters"] == sum(weight.size for weight in weights)
    with np.load(data) as arrays:
        x, y = arrays["x_test"][..., np.newaxis] / np.float32(255), arrays["y_test"]
    assert facts["test_accuracy"] == pytest.approx(np.mean(kgenn.load(path).predict(x).argmax(axis=1) == y))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.h5", "net.json"]


@pytest.mark.slow
def test_a_network_that_is_trained_with_batch_scaling_is_written_as_a_strict_one(
    data: Path, tmp_path: Path
) -> None:
    trained(data, tmp_path / "net.h5", "--epochs", "1", "--precision", "mixed_bfloat16", name="mnist-cnn-scaled")
    assert kgenn.check(tmp_path / "net.h5") == []


@pytest.mark.slow
def test_an_interrupted_training_goes_on_and_ends_as_if_it_had_not_been(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--epochs", "2", "--dropout", "0.3", "--cutout", "8", "--cutmix", "0.5")
    whole = trained(data, tmp_path / "whole.h5", *options)
    shift = training.shift

    def failing(images: Any, max_shift: int, rng: np.random.Generator) -> Any:
        if (tmp_path / "cut.checkpoint.keras").exists():  # written after the first epoch
            raise RuntimeError("interrupted")
        return shift(images, max_shift, rng)

    with monkeypatch.context() as patch:
        patch.setattr(training, "shift", failing)
        with pytest.raises(RuntimeError, match="interrupted"):
            trained(data, tmp_path / "cut.h5", *options)
    assert not (tmp_path / "cut.h5").exists()
    with_other = invoked(data, tmp_path / "cut.h5", *options, "--seed", "2")
    assert (with_other.exit_code, "differs in seed" in with_other.output) == (1, True)
    resumed = trained(data, tmp_path / "cut.h5", *options)
    for found, expected in zip(resumed, whole, strict=True):
        assert_array_equal(found, expected)


@pytest.mark.slow
def test_a_network_trained_in_half_precision_is_saved_in_single(data: Path, tmp_path: Path) -> None:
    options = ("--epochs", "1", "--precision", "mixed_bfloat16")
    trained(data, tmp_path / "half.h5", *options, name="mnist-cnn-bn-capped")
    model = keras.models.load_model(tmp_path / "half.h5", compile=False)
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert kgenn.check(tmp_path / "half.h5", allow=("batch-norm", "relu-cap")) == []


@pytest.mark.slow
def test_weights_to_start_from_are_taken(data: Path, tmp_path: Path) -> None:
    first = trained(data, tmp_path / "first.h5", "--epochs", "1")
    options = ("--epochs", "1", "--learning-rate", "0", "--init", str(tmp_path / "first.h5"))
    for found, expected in zip(trained(data, tmp_path / "second.h5", *options), first, strict=True):
        assert_array_equal(found, expected)


def test_an_unknown_data_set_is_one_clear_error(tmp_path: Path) -> None:
    result = invoked(tmp_path / "none.npz", tmp_path / "net.h5")
    assert result.exit_code == 2
    assert "is neither a file nor mnist or cifar10" in result.output


def test_images_of_another_shape_are_one_clear_error(data: Path, tmp_path: Path) -> None:
    result = invoked(data, tmp_path / "net.h5", name="resnet20")
    assert result.exit_code == 2
    assert "(28, 28, 1)" in result.output
    assert "(32, 32, 3)" in result.output


# ---- parts


def test_every_image_is_seen_once_in_an_epoch_and_the_order_depends_on_seed_and_epoch() -> None:
    x = np.arange(64, dtype=np.uint8)[:, np.newaxis, np.newaxis] * np.ones((1, 4, 4), np.uint8)
    few = Dataset(x, np.arange(64) % 10, x, np.arange(64) % 10)
    recipe = Recipe(batch_size=16, max_shift=0, mirror=False)

    def order(seed: int, epoch: int) -> list[int]:
        batches = Batches(few, recipe, seed, epoch)
        return [round(float(value) * 255) for i in range(len(batches)) for value in batches[i][0][:, 0, 0, 0]]

    assert sorted(order(1, 0)) == list(range(64))
    assert order(1, 0) == order(1, 0) != order(1, 1)
    assert order(2, 0) != order(1, 0)


def test_the_learning_rate_rises_over_the_warm_up_and_falls_to_zero() -> None:
    recipe = Recipe(epochs=10, warmup=2, learning_rate=0.5)
    schedule = optimizer(recipe, steps_per_epoch=10)._learning_rate
    rates = [float(schedule(step)) for step in range(0, 101, 10)]
    assert rates[0] == 0.0
    assert rates[2] == pytest.approx(0.5)
    assert sorted(rates[2:], reverse=True) == rates[2:]
    assert rates[-1] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("size", [3, 4])
def test_cutout_blanks_a_square_that_may_reach_over_the_border(size: int) -> None:
    images = np.full((200, 9, 9, 2), 7, np.uint8)
    blank = cutout(images, size, np.random.default_rng(1))[..., 0] == 0
    counts = blank.sum(axis=(1, 2))
    assert counts.max() == size * size
    assert counts.min() < size * size
    for one in blank:
        rows, columns = np.flatnonzero(one.any(axis=1)), np.flatnonzero(one.any(axis=0))
        assert one[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert max(len(rows), len(columns)) <= size


def test_cutmix_mixes_labels_in_proportion_to_the_pixels() -> None:
    rng = np.random.default_rng(1)
    images = np.tile(np.arange(10, dtype=np.uint8)[:, np.newaxis, np.newaxis, np.newaxis], (30, 8, 6, 3))
    classes = np.arange(300) % 10
    mixed, labels = cutmix(images, np.eye(10, dtype=np.float32)[classes], 0.5, rng)
    assert (mixed.shape, mixed.dtype, labels.dtype) == (images.shape, np.uint8, np.float32)
    pixels = mixed[..., 0].reshape(300, -1)
    assert_allclose(labels, np.stack([(pixels == label).mean(axis=1) for label in range(10)], axis=1), atol=1e-6)
    changed = (pixels != classes[:, np.newaxis]).any(axis=1)
    assert 0.3 < changed.mean() < 0.5  # some rectangles are of the same class or empty
    for image, label in zip(mixed[..., 0], classes, strict=True):
        other = image != label
        rows, columns = other.any(axis=1), other.any(axis=0)
        assert_array_equal(other, rows[:, np.newaxis] & columns)


@pytest.mark.slow
def test_the_first_weights_give_outputs_of_variance_one() -> None:
    keras.utils.set_random_seed(1)
    model = variant("resnet20").build(0.25, 0.0)
    x = np.random.default_rng(1).random((64, 32, 32, 3), dtype=np.float32)
    scale_to_unit_variance(model, x)
    outputs = [layer.output for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    for output in keras.Model(model.input, outputs)(x, training=False):
        assert float(np.std(np.asarray(output))) == pytest.approx(1.0, rel=1e-3)


@pytest.mark.slow
def test_an_option_that_is_not_named_is_the_recipes(data: Path, tmp_path: Path) -> None:
    trained(data, tmp_path / "net.h5", "--epochs", "1", "--mirror")
    facts = json.loads((tmp_path / "net.json").read_text(encoding="utf-8"))
    expected = replace(variant("mnist-cnn").architecture.recipe, epochs=1, mirror=True, batch_size=32)
    assert facts["recipe"] == vars(expected)
