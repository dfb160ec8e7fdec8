"""The siamese benchmark: its pairs are what their labels say, and its network is within the strict profile."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import kgenn
from benchmarks.siamese import METHODS, model, pairs
from benchmarks.zoo.thresholds import frozen, with_thresholds
from kgenn.conversion import CONVERTERS


def test_labels_say_which_digit_the_first_image_is_and_whether_the_second_is_the_same() -> None:
    digits = np.arange(200) % 10
    # each image is filled with its digit
    images = np.repeat(digits, 4).reshape(-1, 2, 2).astype(np.uint8)
    x, y = pairs(images, digits, 400, 0)
    left, right = (np.rint(255 * x[side][:, 0, 0, 0]).astype(np.int64) for side in ("left", "right"))
    assert np.array_equal(y["digit"], left)
    assert np.array_equal(y["same"], left == right)
    assert 150 < y["same"].sum() < 250


@pytest.mark.slow
def test_the_network_converts_with_every_method_of_the_table() -> None:
    keras.utils.set_random_seed(0)
    network = model()
    x = [np.random.default_rng(k).random((16, 28, 28, 1), np.float32) for k in range(2)]
    graph, capped = kgenn.load(network), kgenn.load(frozen(with_thresholds(network, x)))
    assert (list(graph.inputs), [output.name for output in graph.outputs]) == (
        ["left", "right"],
        ["digit", "same"],
    )
    for method, _ in METHODS:
        source, allow = (capped, {"relu-cap"}) if method == "threshold-relu" else (graph, set())
        assert kgenn.check(source, CONVERTERS.get(method)(), allow=allow) == []
