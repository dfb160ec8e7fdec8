"""Trainable caps: their gradient, and the networks that are rebuilt with them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from numpy.testing import assert_allclose, assert_array_equal

import kgenn
from benchmarks.zoo.thresholds import ThresholdReLU, frozen, with_thresholds
from covering import covering, leading
from kgenn.conversion.threshold_relu import ThresholdReLU as ThresholdReLUConversion

IMAGE = (8, 8, 1)


def sequential() -> Any:
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input(IMAGE),
            layers.Conv2D(4, 3, activation="relu", use_bias=False),
            layers.AveragePooling2D(2),
            layers.Conv2D(6, 3, use_bias=False),
            layers.Activation("relu"),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(8, use_bias=False),
            layers.ReLU(),
            layers.Dense(3, activation="softmax", use_bias=False),
        ]
    )


def residual() -> Any:
    keras.utils.set_random_seed(4)
    image = keras.Input(IMAGE)
    x = layers.Conv2D(4, 3, padding="same", activation="relu", use_bias=False)(image)
    y = layers.Conv2D(4, 3, padding="same", activation="relu", use_bias=False)(x)
    y = layers.Conv2D(4, 3, padding="same", use_bias=False)(y)
    z = layers.ReLU()(layers.Add()([x, y]))
    z = layers.Add()([z, layers.Conv2D(4, 1, activation="relu", use_bias=False)(z)])
    z = layers.Flatten()(layers.AveragePooling2D(4)(z))
    return keras.Model(image, layers.Dense(3, activation="softmax", use_bias=False)(z))


def one_relu_called_twice() -> Any:
    keras.utils.set_random_seed(5)
    relu, image = layers.ReLU(), keras.Input(IMAGE)
    x = relu(layers.Conv2D(4, 3, use_bias=False)(image))
    x = relu(layers.Conv2D(4, 3, use_bias=False)(x))
    return keras.Model(image, layers.Dense(3, use_bias=False)(layers.Flatten()(x)))


# name: (build, the number of its ReLU populations)
MODELS = {"sequential": (sequential, 3), "residual": (residual, 4), "called-twice": (one_relu_called_twice, 2)}

each_model = pytest.mark.parametrize("name", MODELS)


def images(count: int, seed: int = 0) -> Any:
    """Return noise under a stripe that is somewhere else in each image, so that predictions differ."""
    rng = np.random.default_rng(seed)
    stripes = np.abs(np.arange(8) - rng.integers(0, 8, (count, 1))) < 2
    across = np.where(rng.random((count, 1, 1)) < 0.5, stripes[:, :, np.newaxis], stripes[:, np.newaxis, :])
    return (rng.random((count, 8, 8)) * across).astype(np.float32)[..., np.newaxis]


def predictions(model: Any, x: Any) -> Any:
    return np.asarray(model(x, training=False))


def capped_layers(model: Any) -> list[Any]:
    return [layer for layer in model.layers if isinstance(layer, ThresholdReLU)]


def saved(model: Any, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras calls .h5 legacy
        model.save(path)
    return path


def halved(model: Any) -> Any:
    """Set every cap to half of its start, so that it clips."""
    for layer in capped_layers(model):
        layer.ratio.assign(0.5)
    return model


# ---- the layer


def test_the_gradient_of_the_cap_is_the_finite_difference() -> None:
    rng = np.random.default_rng(1)
    x, weights = rng.normal(0.0, 2.0, (50, 7)).astype(np.float32), rng.normal(size=(50, 7)).astype(np.float32)
    layer = ThresholdReLU(1.5)
    layer.build(x.shape)
    layer.ratio.assign(0.8)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x) * weights)
    found = float(tape.gradient(loss, layer.ratio.value)) / layer.initial

    def loss_at(cap: float) -> float:
        return float(np.sum(np.clip(x.astype(np.float64), 0, cap) * weights))

    step = 1e-6  # no sample lies so close to the cap
    assert_allclose(found, (loss_at(1.2 + step) - loss_at(1.2 - step)) / (2 * step), rtol=1e-4)
    assert_allclose(found, weights[x >= 1.2].sum(), rtol=1e-4)


def test_the_penalty_is_the_square_of_the_ratio() -> None:
    layer = ThresholdReLU(40.0, penalty=0.25)
    layer.build((None, 2))
    layer.ratio.assign(3.0)
    assert [float(loss) for loss in layer.losses] == [0.25 * 9]


@pytest.mark.parametrize("cap", [0.0, -1.0, float("nan")])
def test_a_cap_that_is_not_above_zero_is_refused(cap: float) -> None:
    with pytest.raises(ValueError, match="relu7: a cap must be above 0"):
        ThresholdReLU(cap, name="relu7")


# ---- networks


@pytest.mark.parametrize("name", leading(MODELS))
def test_caps_that_clip_nothing_change_no_prediction(name: str) -> None:
    build, count = MODELS[name]
    model, x = build(), images(20)
    capped = with_thresholds(model, x, percentile=100)
    assert len(capped_layers(capped)) == count
    assert_allclose(predictions(capped, x), predictions(model, x), rtol=1e-5, atol=1e-6)


def test_a_cap_is_the_percentile_of_the_activation() -> None:
    model, x = sequential(), images(30)
    capped = with_thresholds(model, x, percentile=90)
    activation = predictions(keras.Model(model.inputs[0], model.layers[0].output), x)
    assert_allclose(capped_layers(capped)[0].cap, np.percentile(activation, 90), rtol=1e-5)


@pytest.mark.parametrize("name", leading(MODELS))
def test_caps_clip_as_numpy_does(name: str) -> None:
    capped, x = halved(with_thresholds(MODELS[name][0](), images(20), percentile=100)), images(20, seed=1)
    for layer in capped_layers(capped):
        before, after = predictions(keras.Model(capped.input, [layer.input, layer.output]), x)
        assert (before > layer.cap).any()
        assert_allclose(after, np.clip(before, 0, np.float32(layer.cap)), rtol=1e-6)


@pytest.mark.parametrize("name", leading(MODELS))
def test_a_frozen_network_predicts_the_same_with_standard_layers(name: str) -> None:
    capped, x = halved(with_thresholds(MODELS[name][0](), images(20))), images(20, seed=1)
    constant = frozen(capped)
    assert {type(layer).__module__.partition(".")[0] for layer in constant.layers} == {"keras"}
    assert_array_equal(predictions(constant, x), predictions(capped, x))


@pytest.mark.parametrize(("form", "name"), covering(["h5", "keras"], MODELS))
def test_kgenn_reads_a_frozen_network(name: str, form: str, tmp_path: Path) -> None:
    x = images(20)
    constant = frozen(halved(with_thresholds(MODELS[name][0](), x)))
    path = saved(constant, tmp_path / f"capped.{form}")
    assert_allclose(kgenn.load(path).predict(x), predictions(constant, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", leading(MODELS))
def test_the_scores_of_the_spiking_network_are_those_of_keras(name: str, tmp_path: Path) -> None:
    x = images(20)
    constant = frozen(halved(with_thresholds(MODELS[name][0](), x)))
    constant.layers[-1].activation = keras.activations.linear  # logits tell more than probabilities
    path = saved(constant, tmp_path / "capped.keras")
    expected = predictions(constant, x)
    network = kgenn.convert(
        path,
        calibration=x[:4],
        converter=ThresholdReLUConversion(),
        timesteps=256,
        allow=("relu-cap",),
    )
    found = kgenn.compile(network, target="reference").evaluate(x, expected.argmax(axis=1)).scores
    assert_allclose(found, expected, atol=0.05 * np.ptp(expected))


def test_a_model_within_a_model_is_refused() -> None:
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(2, activation="relu")], name="inner")
    model = keras.Sequential([keras.Input((4,)), inner])
    with pytest.raises(ValueError, match="inner"):
        with_thresholds(model, np.ones((2, 4), np.float32))
