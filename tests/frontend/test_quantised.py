"""Quantised kernels and low-rank corrections (LoRA) are computed as Keras does, or refused."""

from __future__ import annotations

from itertools import product

import keras
import numpy as np
import pytest
from keras import layers

from covering import leading
from keras_models import VECTOR, chain, randomise
from kgenn.frontend import load
from model_files import errors_of

FORMS = ("h5", "keras", "live")
IMAGE = (6, 5, 3)


def source(model, form, folder):
    """Write a model in a form, and return what is to be read."""
    if form == "live":
        return model
    path = folder / f"model.{form}"
    model.save(path)
    return path


def assert_equal(model, form, folder):
    """Assert that a model that is read computes what Keras computes."""
    x = np.random.default_rng(0).normal(size=(16, *model.input_shape[1:])).astype(np.float32)
    given = source(model, form, folder)
    found = load(given).predict(x)
    if form == "keras":  # in which a corrected kernel is quantised again
        model = keras.models.load_model(given)
    np.testing.assert_allclose(found, np.asarray(model(x, training=False)), rtol=1e-4, atol=1e-5)


def quantised(config):
    model = randomise(chain(VECTOR, layers.Dense(5, activation="relu"), layers.Dense(7, use_bias=False)))
    model.quantize(config=config)
    return model


needs_configs = pytest.mark.skipif(
    not hasattr(keras.quantizers, "Int8QuantizationConfig"), reason="this Keras cannot quantise weights alone"
)
CONFIGS = {
    "int8": lambda: keras.quantizers.Int8QuantizationConfig(activation_quantizer=None),
    "int4": lambda: keras.quantizers.Int4QuantizationConfig(activation_quantizer=None, block_size=-1),
    "int4 in groups": lambda: keras.quantizers.Int4QuantizationConfig(activation_quantizer=None, block_size=4),
    "int4 in one group": lambda: keras.quantizers.Int4QuantizationConfig(activation_quantizer=None),
}


@needs_configs
@pytest.mark.filterwarnings("ignore:Layer InputLayer does not have")
@pytest.mark.parametrize(("form", "name"), leading(product(FORMS, CONFIGS)))
def test_quantised_weights_are_computed_as_keras_does(name, form, tmp_path):
    assert_equal(quantised(CONFIGS[name]()), form, tmp_path)


@pytest.mark.slow
@needs_configs
@pytest.mark.filterwarnings("ignore:Layer InputLayer does not have")
@pytest.mark.parametrize("form", FORMS)
def test_quantised_weights_of_a_nested_model_are_computed_as_keras_does(form, tmp_path):
    assert_equal(chain(VECTOR, quantised(CONFIGS["int8"]()), layers.Dense(3)), form, tmp_path)


@pytest.mark.filterwarnings("ignore:Layer InputLayer does not have")
@pytest.mark.parametrize("form", leading(FORMS))
def test_a_layer_that_rounds_its_inputs_is_refused(form, tmp_path):
    model = chain(VECTOR, layers.Dense(4))
    model.quantize("int8")
    (error,) = errors_of(source(model, form, tmp_path))
    assert error.code == "KG107"
    assert "rounds its inputs to int8" in error.what


@pytest.mark.filterwarnings("ignore:Layer InputLayer does not have")
def test_a_kernel_of_eight_bit_floats_is_refused(tmp_path):
    model = chain(VECTOR, layers.Dense(4))
    model.quantize("float8")
    (error,) = errors_of(source(model, "keras", tmp_path))
    assert error.code == "KG107"
    assert "float8" in error.what


def corrected(model, *numbers):
    """Add corrections of rank 2, with alpha 3, to some layers of a model; they change what it computes."""
    for layer in (model.layers[number] for number in numbers):
        layer.enable_lora(2, lora_alpha=3)
        shape = layer.lora_kernel_b.shape
        layer.lora_kernel_b.assign(np.random.default_rng(1).normal(size=shape))
    return model


def small():
    stack = (layers.Conv2D(4, 3, activation="relu"), layers.Flatten(), layers.Dense(5), layers.Dense(2))
    return randomise(chain(IMAGE, *stack))


@pytest.mark.parametrize("form", FORMS)
def test_corrected_kernels_are_computed_as_keras_does(form, tmp_path):
    assert_equal(corrected(small(), 0, 2), form, tmp_path)


@pytest.mark.parametrize("form", FORMS)
def test_corrected_kernels_of_a_nested_model_are_computed_as_keras_does(form, tmp_path):
    assert_equal(chain(IMAGE, corrected(small(), 2), layers.Dense(3)), form, tmp_path)


@pytest.mark.slow
@needs_configs
@pytest.mark.filterwarnings("ignore:Layer InputLayer does not have")
@pytest.mark.parametrize("form", FORMS)
def test_corrected_quantised_kernels_are_computed_as_keras_does(form, tmp_path):
    model = quantised(CONFIGS["int8"]())
    assert_equal(corrected(model, 0), form, tmp_path)
