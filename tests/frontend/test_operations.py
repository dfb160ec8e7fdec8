"""Operations on tensors that stand in a model are computed as Keras computes them."""

from __future__ import annotations

from itertools import cycle

import keras
import numpy as np
import pytest
from keras import layers, ops

import kgenn
from covering import leading
from keras_models import randomise
from keras_operations import OPERATIONS
from kgenn.conversion.compose import structured
from kgenn.conversion.paths import paths_into
from kgenn.diagnostics import KgennError
from kgenn.passes import LoweringOptions, lower
from model_files import only_error
from test_against_keras import FORMATS, assert_equal_outputs, read, samples


def assert_forward_equals_keras(name, folder, *forms):
    """Assert that the graph of a model of one operation computes what Keras does, from each of some formats."""
    model = randomise(OPERATIONS[name]())
    inputs = samples(model)
    expected = model(inputs if len(inputs) > 1 else inputs[0])
    for form in forms:
        assert_equal_outputs(read(model, form, folder), inputs, expected)


@pytest.mark.parametrize(("name", "form"), list(zip(OPERATIONS, cycle(FORMATS), strict=False)))
def test_forward_equals_keras(name, form, tmp_path):
    assert_forward_equals_keras(name, tmp_path, form)


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATIONS)
def test_forward_equals_keras_in_every_format(name, tmp_path):
    assert_forward_equals_keras(name, tmp_path, *FORMATS)


@pytest.mark.parametrize("reduce", [ops.mean, ops.sum, ops.max, ops.min])
def test_what_reads_values_reduced_over_channels_keeps_its_structure(reduce):
    image = layers.Input((6, 5, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    y = layers.Concatenate()([reduce(x, axis=-1, keepdims=True), x])
    y = layers.Conv2D(2, 3, padding="same", activation="relu", name="after")(y)
    graph = lower(kgenn.load(keras.Model(image, layers.Flatten()(y))), LoweringOptions())
    paths = paths_into(graph, graph.by_name["after/relu"].inputs[0])
    assert len(paths) == 2
    assert all(structured(path) is not None for path in paths)


@pytest.mark.parametrize(
    "bound", [lambda x: ops.clip(x, 0.1, 0.9), lambda x: ops.maximum(x, 0.2), lambda x: ops.minimum(x, 0.2)]
)
def test_a_model_may_end_in_bounds_of_its_values(bound):
    given = layers.Input((6,))
    model = keras.Model(given, bound(layers.Dense(3)(layers.Dense(8, activation="relu")(given))))
    (x,) = samples(model)
    network = kgenn.convert(model, calibration=x, converter="few-spike", timesteps=12, allow="all")
    scores = kgenn.compile(network, target="reference").evaluate(x).scores
    np.testing.assert_allclose(scores, model(x), atol=1e-2)


SQUARES = {
    "var": lambda x: ops.var(x, axis=(1, 2)),
    "std": lambda x: ops.std(x, axis=-1),
    "norm": lambda x: ops.norm(x, axis=-1),
    "normalize": lambda x: ops.normalize(x, axis=1),
    "logsumexp": lambda x: ops.logsumexp(x, axis=1),
    "sin": ops.sin,
    "cumsum": lambda x: ops.cumsum(x, axis=1),
}


@pytest.mark.parametrize("name", leading(SQUARES))
def test_statistics_and_curves_inside_a_network_are_spikes_too(name):
    given = layers.Input((6, 6, 2))
    x = SQUARES[name](layers.Conv2D(4, 3)(given))
    model = randomise(keras.Model(given, layers.Dense(3)(layers.Flatten()(x))))
    x = np.random.default_rng(1).normal(size=(96, 6, 6, 2)).astype(np.float32)
    network = kgenn.convert(model, calibration=x[:64], converter="few-spike", timesteps=10, allow="all")
    found, wanted = kgenn.compile(network, "reference").predict(x[64:]), np.asarray(model(x[64:]))
    assert np.corrcoef((found - found.mean(0)).ravel(), (wanted - wanted.mean(0)).ravel())[0, 1] > 0.99


def test_a_softmax_that_weighs_what_it_is_made_of_is_written_with_names_of_its_own():
    given = layers.Input((4, 6))
    x = layers.Dense(8, activation="relu")(given)
    weights = layers.Softmax(axis=1)(layers.Dense(1)(x))
    model = randomise(keras.Model(given, layers.Dense(3)(ops.sum(x * weights, axis=1))))
    (x,) = samples(model)
    graph = lower(kgenn.load(model), LoweringOptions())
    np.testing.assert_allclose(graph.predict(x), model(x), atol=1e-4)


@pytest.mark.parametrize(
    ("operation", "found"),
    [
        (lambda x: ops.normalize(x, axis=None), "normalize.*axis=None"),
        (lambda x: ops.normalize(x, order=1), "normalize.*order=1"),
        (lambda x: ops.cumsum(x, axis=1, dtype="int32"), "cumsum.*dtype='int32'"),
        (lambda x: ops.var(x, axis=(0, 1)), "var.*axis=0"),
        (lambda x: ops.norm(x, ord=1, axis=(1, 2)), "norm.*ord=1"),
    ],
    ids=["all axes", "another norm", "whole numbers", "the batch", "a norm of a matrix"],
)
def test_arguments_that_mean_something_else_are_refused(operation, found):
    given = layers.Input((4, 3))
    with pytest.raises(KgennError, match=rf"KG107.*{found}"):
        kgenn.load(keras.Model(given, operation(given)))


@pytest.mark.parametrize("normalise", [ops.normalize, layers.UnitNormalization()], ids=["operation", "layer"])
def test_vectors_that_are_zero_do_not_spoil_the_others_where_each_is_normalised(normalise):
    given = layers.Input((6, 6, 2))
    x = normalise(layers.Conv2D(2, 3, activation="relu")(given))
    model = randomise(keras.Model(given, layers.Dense(3)(layers.Flatten()(x))))
    x = np.random.default_rng(1).normal(size=(96, 6, 6, 2)).astype(np.float32)
    network = kgenn.convert(model, calibration=x[:64], converter="few-spike", timesteps=10, allow="all")
    found, wanted = kgenn.compile(network, "reference").predict(x[64:]), np.asarray(model(x[64:]))
    np.testing.assert_allclose(found, wanted, atol=0.6 * wanted.std())


def test_an_unknown_operation_of_an_h5_file_is_no_class_of_the_users(tmp_path):
    given = layers.Input((6,))
    keras.Model(given, ops.prod(given, axis=-1, keepdims=True)).save(tmp_path / "m.h5")
    only_error(tmp_path / "m.h5", "KG105", "prod (Prod): is the operation Prod")
