"""The network that the engines are timed on: the same file from the same seed, strict, and scaled by its width."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from click.testing import CliRunner
from numpy.testing import assert_array_equal

import kgenn
from benchmarks.engine import network


def written(path: Path, *options: str) -> Path:
    arguments = ["-o", str(path), "--width", "0.05", "--images", "4", *options]
    result = CliRunner().invoke(network.main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return path


def test_a_seed_gives_the_same_weights_and_images(tmp_path: Path) -> None:
    first, second, other = (written(tmp_path / f"{i}.h5", "--seed", seed) for i, seed in enumerate("778"))
    x = {path: np.load(path.with_suffix(".npz"))["x"] for path in (first, second, other)}
    assert_array_equal(x[first], x[second])
    assert (x[first] != x[other]).any()
    images = x[first] / np.float32(255)
    assert_array_equal(kgenn.load(first).predict(images), kgenn.load(second).predict(images))
    assert (kgenn.load(first).predict(images) != kgenn.load(other).predict(images)).any()


def test_the_labels_are_the_predictions_and_the_network_is_strict(tmp_path: Path) -> None:
    path = written(tmp_path / "engine.h5")
    with np.load(path.with_suffix(".npz")) as data:
        x, y = data["x"], data["y"]
    graph = kgenn.load(path)
    assert x.shape == (4, 32, 32, 3)
    assert_array_equal(graph.predict(x / np.float32(255)).argmax(axis=1), y)
    assert kgenn.check(path) == []


def test_the_width_scales_every_layer_but_the_last() -> None:
    filters = [layer.kernel.shape[-1] for layer in network.network(0.5).layers if hasattr(layer, "kernel")]
    assert filters == [32, 32, 64, 64, 128, 128, 256, 10]
