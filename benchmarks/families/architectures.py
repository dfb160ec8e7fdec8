"""Make networks of keras.applications that behave like trained ones, without weights from elsewhere.

Weights are as Keras draws them. With these and the initial statistics of batch normalisation a network says the
same of every image, up to the last bits: its signal fades from layer to layer. So the statistics become those of
drawn images, and the last weights are scaled until the scores of images differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kgenn.ir.graph import Array, Shape

# Class, height and width of images, further arguments.
FAMILIES: Mapping[str, tuple[str, int, Mapping[str, Any]]] = {
    "VGG16": ("VGG16", 64, {}),
    "ResNet50": ("ResNet50", 64, {}),
    "ResNet50V2": ("ResNet50V2", 64, {}),
    "MobileNet": ("MobileNet", 64, {"alpha": 0.25}),
    "MobileNetV2": ("MobileNetV2", 64, {"alpha": 0.35}),
    "MobileNetV3Small": ("MobileNetV3Small", 64, {}),
    "DenseNet121": ("DenseNet121", 64, {}),
    "InceptionV3": ("InceptionV3", 96, {}),
    "InceptionResNetV2": ("InceptionResNetV2", 96, {}),
    "Xception": ("Xception", 96, {}),
    "NASNetMobile": ("NASNetMobile", 64, {}),
    "EfficientNetB0": ("EfficientNetB0", 64, {}),
    "EfficientNetV2B0": ("EfficientNetV2B0", 64, {}),
    "ConvNeXtTiny": ("ConvNeXtTiny", 64, {}),
}
CLASSES = 10
# Images that settle a network.
SETTLING = 24
# The standard deviation of the scores over images, once settled.
SPREAD = 2.0
# What an input that takes any size is measured at.
OPEN = 32
# Values spread evenly so far on either side have a standard deviation of 1.
UNIFORM = 3**0.5
# How a model's configuration writes that it takes pixels from 0 to 255.
PIXELS = re.compile(r"[\s:\[](127\.5|255(\.0)?|0\.0039\d+|0\.0078\d+)\b")


def model_of(name: str) -> Any:
    """Return the Keras model of a family, or of a file."""
    import keras

    if name not in FAMILIES:
        return keras.models.load_model(name, compile=False)
    keras.utils.set_random_seed(1)
    class_name, size, arguments = FAMILIES[name]
    make = getattr(keras.applications, class_name)
    return make(weights=None, input_shape=(size, size, 3), classes=CLASSES, **arguments)


def input_shapes(model: Any) -> list[Shape]:
    """Return the shape of one sample of each input; an open size is `OPEN`."""
    return [tuple(size or OPEN for size in tensor.shape[1:]) for tensor in model.inputs]


def drawn_inputs(model: Any, count: int, seed: int) -> list[Array]:
    """Return samples of each input, shape (count, *input shape): in [0, 1], or as the model scales them."""
    import keras

    rng, pixels = np.random.default_rng(seed), PIXELS.search(model.to_json())
    drawn = [_drawn(shape, count, rng) for shape in input_shapes(model)]
    first = next((each for each in model.layers if not isinstance(each, keras.layers.InputLayer)), None)
    if isinstance(first, keras.layers.Normalization) and len(drawn) == 1:
        deviation = np.sqrt(np.asarray(first.variance))
        return [(np.asarray(first.mean) + deviation * UNIFORM * (2 * drawn[0] - 1)).astype(np.float32)]
    return [np.round(x * 255).astype(np.float32) if pixels else x for x in drawn]


def _drawn(shape: Shape, count: int, rng: np.random.Generator) -> Array:
    """Return values in [0, 1]; images are noise, coarse and fine."""
    x = rng.random((count, *shape)).astype(np.float32)
    if len(shape) == 3 and min(shape[:2]) >= 16:
        height, width, channels = shape
        coarse = rng.random((count, -(-height // 8), -(-width // 8), channels)).astype(np.float32)
        smooth = np.repeat(np.repeat(coarse, 8, axis=1), 8, axis=2)[:, :height, :width]
        x = np.clip(0.6 * smooth + 0.8 * x * coarse.mean(axis=(1, 2, 3), keepdims=True), 0, 1).astype(np.float32)
    return x


def settle(model: Any) -> None:
    """Give batch normalisations the statistics of drawn images, and scores a spread of `SPREAD` around 0."""
    import keras

    x = drawn_inputs(model, SETTLING, 7)
    norms = [layer for layer in _layers(model) if isinstance(layer, keras.layers.BatchNormalization)]
    rng = np.random.default_rng(3)
    for layer in norms:
        layer.momentum = 0.0
        if layer.scale:
            layer.gamma.assign(rng.uniform(0.6, 1.4, layer.gamma.shape))
        if layer.center:
            layer.beta.assign(rng.normal(0, 0.2, layer.beta.shape))
    if norms:
        model(given(x), training=True)
    last = model.layers[-1]
    if isinstance(last, keras.layers.Dense) and last.units > 1 and len(model.outputs) == 1:
        (scores,) = logits(model, x)
        factor = SPREAD / max(float(scores.std(axis=0).mean()), 1e-12)
        last.kernel.assign(last.kernel * factor)
        if last.use_bias:
            last.bias.assign((last.bias - scores.mean(axis=0)) * factor)


def given(x: Sequence[Any]) -> Any:
    """Return samples, or inputs, as a model takes them."""
    return x[0] if len(x) == 1 else list(x)


def outputs_of(found: Any) -> list[Array]:
    """Return what a model gave, as a list."""
    return [np.asarray(each) for each in (found if isinstance(found, list | tuple) else [found])]


def logits(model: Any, x: Sequence[Array]) -> list[Array]:
    """Return each of a model's outputs before the activation that it ends in; shape (N, ...)."""
    import keras

    before, changed = [], {}
    for tensor in model.outputs:
        layer = tensor._keras_history.operation
        if isinstance(layer, keras.layers.Activation | keras.layers.ReLU | keras.layers.Softmax):
            tensor = layer.input
        elif getattr(layer, "activation", None) is not None:
            changed[layer] = layer.activation
        before.append(tensor)
    cut = keras.Model(given(model.inputs), before)
    for layer in changed:
        layer.activation = keras.activations.linear
    try:
        parts = [
            outputs_of(cut(given([a[start : start + 16] for a in x]), training=False))
            for start in range(0, len(x[0]), 16)
        ]
    finally:
        for layer, activation in changed.items():
            layer.activation = activation
    return [np.concatenate([part[i] for part in parts]) for i in range(len(before))]


def in_double(model: Any) -> Any:
    """Return a model that computes in float64, with the same weights."""
    import keras

    double = keras.models.model_from_json(model.to_json().replace('"float32"', '"float64"'))
    double.set_weights(model.get_weights())
    return double


def settled_file(name: str, folder: Path) -> tuple[Path, Any]:
    """Make and settle a model; return the .h5 file that it is saved in, and the model."""
    model = model_of(name)
    settle(model)
    path = folder / f"{Path(name).stem}.h5"
    model.save(path)
    return path, model


def _layers(model: Any) -> Iterator[Any]:
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _layers(layer)
        else:
            yield layer
