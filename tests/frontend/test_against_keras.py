"""kgenn's forward equals Keras' predictions, from .h5, from .keras and from the live model."""

from __future__ import annotations

import warnings
from itertools import cycle

import keras
import numpy as np
import pytest

import kgenn.frontend
from keras_models import CHANNELS_FIRST, IMAGE, MODELS, chain, randomise, twin_of_channels_first
from looped import looped
from model_files import edit

FORMATS = ("h5", "keras", "live")
# by default each model goes through the next format; the slow tests take all of them
IN_TURN, NEXT = (
    list(zip(MODELS, cycle(formats), strict=False)) for formats in (FORMATS, FORMATS[1:] + FORMATS[:1])
)


def read(model, form, folder):
    """Return the graph of a model that went through a format."""
    if form == "live":
        return kgenn.frontend.load(model)
    path = folder / f"model.{form}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras calls .h5 legacy
        model.save(path)
    return kgenn.frontend.load(path)


def samples(model, seed=1):
    """Return three random samples for each input."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(3, *tensor.shape[1:])).astype(np.float32) for tensor in model.inputs]


def assert_equal_outputs(graph, inputs, expected):
    """Assert that a graph gives the outputs of Keras, up to rounding."""
    found = graph.predict(dict(zip(graph.inputs, inputs, strict=True)))
    found = found if isinstance(found, tuple) else (found,)
    expected = expected if isinstance(expected, (list, tuple)) else (expected,)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == np.float32
        assert_close(ours, np.asarray(theirs))


def assert_close(ours, theirs):
    """Assert that values are equal but for the order of float32 sums: some ulp of the largest value."""
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 + 1e-6 * np.abs(theirs).max(initial=0))


def layers_name(tensor):
    """Return the name of the layer that made a tensor, which Keras calls an input or output by."""
    return tensor._keras_history.operation.name


@pytest.fixture(scope="module")
def built():
    """Return a function that builds each model once."""
    cache = {}

    def build(name):
        if name not in cache:
            model = randomise(MODELS[name]())
            inputs = samples(model)
            cache[name] = model, inputs, model(inputs if len(inputs) > 1 else inputs[0], training=False)
        return cache[name]

    return build


@pytest.mark.parametrize(("name", "form"), IN_TURN)
def test_forward_equals_keras(name, form, built, tmp_path):
    model, inputs, expected = built(name)
    assert_equal_outputs(read(model, form, tmp_path), inputs, expected)


@pytest.mark.parametrize(("name", "form"), NEXT)
def test_inputs_and_outputs_have_keras_names_and_order(name, form, built, tmp_path):
    assert_keras_names_and_order(*built(name), form, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@looped("form", FORMATS)
def test_every_format_gives_the_forward_the_names_and_the_order_of_keras(name, form, built, tmp_path):
    model, inputs, expected = built(name)
    assert_equal_outputs(read(model, form, tmp_path), inputs, expected)
    assert_keras_names_and_order(model, inputs, expected, form, tmp_path)


def assert_keras_names_and_order(model, inputs, expected, form, folder):
    """Assert that a graph calls inputs and outputs as Keras does, and takes samples in Keras' order."""
    graph = read(model, form, folder)
    if not isinstance(model, keras.Sequential):
        assert list(graph.inputs) == [layers_name(tensor) for tensor in model.inputs]
        names = [layers_name(tensor) for tensor in model.outputs]
        # one that comes again is numbered
        expected_names = [f"{n}_{names[:i].count(n)}" if n in names[:i] else n for i, n in enumerate(names)]
        assert [output.name for output in graph.outputs] == expected_names
    for given in (list(inputs), tuple(inputs)):
        found = graph.predict(given)
        found, wanted = (each if isinstance(each, (list, tuple)) else [each] for each in (found, expected))
        for ours, theirs in zip(found, wanted, strict=True):
            assert_close(ours, np.asarray(theirs))


@pytest.mark.parametrize("name", CHANNELS_FIRST)
def test_channels_first_equals_channels_last(name, tmp_path):
    first, last = (randomise(m) for m in twin_of_channels_first(*CHANNELS_FIRST[name], IMAGE))
    (x,) = samples(last)
    expected = np.asarray(last(x))
    if expected.ndim == 4:
        expected = np.moveaxis(expected, -1, 1)
    for form in FORMATS:
        assert_equal_outputs(read(first, form, tmp_path), [np.moveaxis(x, -1, 1)], expected)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_float_types_become_float32(dtype, form, tmp_path):
    model = randomise(keras.Sequential([keras.Input((6,)), keras.layers.Dense(4, dtype=dtype)]))
    graph = read(model, form, tmp_path)
    kernel = graph.nodes[-1].layer.kernel
    assert kernel.dtype == np.float32
    np.testing.assert_array_equal(kernel, np.asarray(model.get_weights()[0]).astype(np.float32))


def test_calls_of_a_shared_layer_share_its_arrays(built, tmp_path):
    graph = read(built("shared")[0], "h5", tmp_path)
    kernels = [n.layer.kernel for n in graph.nodes if hasattr(n.layer, "kernel")]
    assert len(kernels) == 4
    assert len({id(kernel) for kernel in kernels}) == 2


def test_nodes_are_named_after_layers_and_their_models(tmp_path):
    block = keras.Sequential([keras.layers.Conv2D(2, 1, activation="relu", name="conv")], name="block")
    x = keras.Input((4, 4, 3), name="image")
    y = keras.layers.SeparableConv2D(3, 1, activation="relu", name="separable")(x)
    graph = read(keras.Model(x, block(y)), "keras", tmp_path)
    names = ["image", "separable/depthwise", "separable", "separable/relu", "block/conv", "block/conv/relu"]
    assert [node.name for node in graph.nodes] == names
    assert graph.nodes[-1].origin == "block/conv (Conv2D)"


def test_a_name_that_another_layer_would_get_stays_unique(tmp_path):
    x = keras.Input((4,), name="a")
    y = keras.layers.Dense(2, activation="relu", name="b")(x)
    graph = read(keras.Model(x, keras.layers.ReLU(name="b:1")(y)), "live", tmp_path)
    assert len({node.name for node in graph.nodes}) == len(graph.nodes)


# classes of layers, with the options that have no default
DEFAULTS = {
    "AveragePooling2D": {"pool_size": (2, 3)},
    "BatchNormalization": {},
    "Conv2D": {"filters": 4, "kernel_size": (2, 3)},
    "Conv2DTranspose": {"filters": 4, "kernel_size": (2, 3)},
    "Dense": {"units": 4},
    "DepthwiseConv2D": {"kernel_size": (2, 3)},
    "ELU": {},
    "GlobalAveragePooling2D": {},
    "LayerNormalization": {},
    "LeakyReLU": {},
    "MaxPooling2D": {"pool_size": (3, 2)},
    "ReLU": {},
    "SeparableConv2D": {"filters": 4, "kernel_size": (2, 3)},
    "Softmax": {},
}


@pytest.mark.parametrize("kind", DEFAULTS)
def test_what_a_config_lacks_is_the_default_of_keras(kind, tmp_path):
    given = {"name": "layer", **DEFAULTS[kind]}
    model = randomise(chain((6, 7, 3), getattr(keras.layers, kind)(**given)))
    read(model, "h5", tmp_path)
    path = edit(tmp_path / "model.h5", lambda _, layers: layers["layer"].update(config=given))
    (x,) = samples(model)
    assert_close(kgenn.frontend.load(path).predict(x), np.asarray(model(x, training=False)))
