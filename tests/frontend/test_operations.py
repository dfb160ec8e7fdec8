"""Operations on tensors that stand in a model are computed as Keras computes them."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

import kgenn
from keras_models import randomise
from keras_operations import OPERATIONS
from kgenn.conversion.compose import structured
from kgenn.conversion.paths import paths_into
from kgenn.passes import LoweringOptions, lower
from test_against_keras import FORMATS, assert_equal_outputs, read, samples


@pytest.mark.parametrize("name", OPERATIONS)
def test_forward_equals_keras_in_every_format(name, tmp_path):
    model = randomise(OPERATIONS[name]())
    inputs = samples(model)
    expected = model(inputs if len(inputs) > 1 else inputs[0])
    for form in FORMATS:
        assert_equal_outputs(read(model, form, tmp_path), inputs, expected)


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
