"""A small Keras model with two inputs and three outputs, a shared layer, and data for it."""

from __future__ import annotations

import keras
import numpy as np

from kgenn.ir.graph import Array

NUM_SAMPLES = 64


def two_inputs() -> keras.Model:
    """Return an image classifier that also reads metadata, with heads at two depths."""
    keras.utils.set_random_seed(3)
    layers = keras.layers
    image, meta = keras.Input((6, 6, 1), name="image"), keras.Input((5,), name="meta")
    shared = layers.Dense(5, activation="relu", use_bias=False, name="shared")
    first = shared(meta)
    second = shared(first)
    seen = layers.Flatten()(layers.Conv2D(3, 3, activation="relu", use_bias=False, name="conv")(image))
    joined = layers.Concatenate()([seen, first, second])
    hidden = layers.Dense(8, activation="relu", use_bias=False, name="hidden")(joined)
    outputs = [
        layers.Dense(3, activation="softmax", use_bias=False, name="digit")(hidden),
        layers.Dense(2, use_bias=False, name="aux")(second),
        layers.Dense(1, activation="sigmoid", use_bias=False, name="yes")(hidden),
    ]
    return keras.Model([image, meta], outputs, name="ported")


def arrays() -> dict[str, Array]:
    """Return samples of both inputs, in [0, 1]."""
    rng = np.random.default_rng(8)
    shapes = {"image": (6, 6, 1), "meta": (5,)}
    return {name: rng.random((NUM_SAMPLES, *shape), np.float32) for name, shape in shapes.items()}


def labels_of(model: keras.Model) -> dict[str, Array]:
    """Return what the model says of the samples, as labels."""
    digit, aux, yes = model.predict(list(arrays().values()), verbose=0)
    return {"digit": digit.argmax(1), "aux": aux.argmax(1), "yes": (yes[:, 0] > 0.5).astype(np.int64)}
