"""Batch scaling: what it computes, and that the kernels hold it after training."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from numpy.testing import assert_allclose

from benchmarks.zoo.batch_scale import BatchScale, folded
from benchmarks.zoo.table import variant
from covering import leading


def test_a_channel_has_the_root_mean_square_gamma_in_training_and_nearly_so_after_it() -> None:
    given = 3 + np.random.default_rng(1).standard_normal((400, 3, 2), dtype=np.float32) * [5.0, 0.2]
    layer = BatchScale()
    layer.build(given.shape)
    layer.gamma.assign([2.0, 3.0])
    root = np.sqrt(np.square(np.asarray(layer(given, training=True))).mean(axis=(0, 1)))
    assert_allclose(root, [2, 3], rtol=1e-3)
    for _ in range(100):
        layer(given, training=True)
    assert_allclose(layer(given), layer(given, training=True), rtol=1e-3)


@pytest.mark.parametrize("name", leading(["mnist-cnn-scaled", "mobilenet-scaled", "fast-vgg-scaled-capped"]))
def test_a_trained_network_computes_the_same_when_its_scales_are_in_the_kernels(name: str) -> None:
    model: Any = variant(name).build(0.2, 0.1)
    images = np.random.default_rng(2).random((16, *model.input_shape[1:]), dtype=np.float32)
    model.compile(optimizer="sgd", loss="categorical_crossentropy")
    model.fit(images, np.eye(10)[np.arange(16) % 10], epochs=3, verbose=0)
    strict: Any = folded(model)
    for layer in model.layers[:-1]:
        if type(layer) in (layers.Conv2D, layers.Dense):
            assert_allclose(np.mean(layer.kernel, axis=tuple(range(layer.kernel.ndim - 1))), 0, atol=1e-6)
    assert any(isinstance(layer, BatchScale) for layer in model.layers)
    assert {type(layer) for layer in strict.layers} == {type(layer) for layer in model.layers} - {BatchScale}
    assert_allclose(strict(images), model(images), atol=1e-6)


def test_a_file_with_batch_scaling_opens_again(tmp_path: Any) -> None:
    given = keras.Input((4,))
    model: Any = keras.Model(given, BatchScale()(layers.Dense(3, use_bias=False)(given)))
    x = np.random.default_rng(3).random((8, 4), dtype=np.float32)
    model(x, training=True)
    model.save(tmp_path / "scaled.keras")
    assert_allclose(keras.models.load_model(tmp_path / "scaled.keras")(x), model(x))
