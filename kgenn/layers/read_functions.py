"""Read operations that are activations, and poolings and resizings that are called as operations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from kgenn.ir.graph import Layer, Shape
from kgenn.layers.activation import Activation, ReLU, Softmax
from kgenn.layers.affine import Rescaling, plus
from kgenn.layers.config import LayerConfig, only
from kgenn.layers.constants import affine
from kgenn.layers.glu import Glu
from kgenn.layers.pooling import AveragePool, MaxPool
from kgenn.layers.read_activation import named_activation, read_relu, read_softmax
from kgenn.layers.read_activation import read_elu as read_elu_layer
from kgenn.layers.read_pooling import pool
from kgenn.layers.sparsemax import Sparsemax
from kgenn.layers.weights import Weights

Chain = tuple[Layer, ...]
# what an operation is among activations, where that is not its name in lower case
_NAMES = {
    "Abs": "abs",
    "Absolute": "abs",
    "Exp": "exponential",
    "HardShrink": "hard_shrink",
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
    "HardTanh": "hard_tanh",
    "LogSigmoid": "log_sigmoid",
    "SoftShrink": "soft_shrink",
    "SparsePlus": "sparse_plus",
    "SparseSigmoid": "sparse_sigmoid",
    "TanhShrink": "tanh_shrink",
    "tf.math.atan": "arctan",
    "tf.math.exp": "exponential",
    "tf.nn.swish": "silu",
}
_CURVES = ("abs", "arctan", "cos", "erf", "log", "reciprocal", "rsqrt", "sin", "sqrt", "square")
# logarithms as multiples of the natural one
_LOGARITHMS = {"Log2": 1 / np.log(2), "Log10": 1 / np.log(10)}


def read_function(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read an operation that is an activation without options."""
    only(inputs)
    function = f"tf.{config.options['function']}" if "function" in config.options else config.class_name
    name = _NAMES.get(function, function.rpartition(".")[2].lower())
    return (Activation(name),) if name in _CURVES else named_activation(config, name)


def read_log(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read log(1 + x), and logarithms to another base."""
    only(inputs)
    factor = _LOGARITHMS.get(config.class_name)
    if factor is None:
        return (plus(np.ones(1, np.float32)), Activation("log"))
    return (Activation("log"), Rescaling(np.asarray(factor), np.asarray(0.0)))


def read_expm1(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read exp(x) − 1."""
    only(inputs)
    return (Activation("exponential"), plus(-np.ones(1, np.float32)))


def read_gelu(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read GELU, exact or by a hyperbolic tangent, which is the default in Keras and not in TensorFlow."""
    only(inputs)
    approximate = config.flag("approximate", config.class_name == "Gelu")
    return (Activation("gelu_tanh" if approximate else "gelu"),)


def read_elu(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read ELU."""
    only(inputs)
    return read_elu_layer(config, weights, inputs)


def read_log_softmax(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read the logarithm of a softmax along an axis."""
    return tuple(
        replace(layer, is_log=True)
        for layer in read_softmax(config, weights, inputs)
        if isinstance(layer, Softmax)
    )


def read_glu(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read a gated linear unit along an axis."""
    return (Glu(_axis(config, inputs)),)


def read_sparsemax(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read sparsemax along an axis."""
    return (Sparsemax(_axis(config, inputs)),)


def _axis(config: LayerConfig, inputs: tuple[Shape, ...]) -> int:
    """Return the axis of an operation, counted from the end."""
    rank = len(only(inputs))
    return config.axis(config.argument(1, "axis", default=-1), rank) - rank


def read_leaky_relu(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read a leaky ReLU, whose slope TensorFlow calls alpha."""
    only(inputs)
    key = "alpha" if "alpha" in config.options else "negative_slope"
    return (ReLU(negative_slope=config.number(key, 0.2)),)


def read_relu_layer(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read keras.activations.relu, with its cap, slope and threshold."""
    only(inputs)
    return read_relu(config, weights, inputs)


def read_celu(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read CELU."""
    only(inputs)
    return (Activation("celu", {"alpha": config.number("alpha", 1.0)}),)


def read_threshold(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read x above a threshold, and a constant below."""
    only(inputs)
    ends = {"threshold": config.number("threshold"), "value": config.number("default_value")}
    return (Activation("threshold", ends),)


def read_zeros(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read zeros of the shape of a tensor."""
    return affine(only(inputs), np.asarray(0.0), np.asarray(0.0))


def read_ones(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read ones of the shape of a tensor."""
    return affine(only(inputs), np.asarray(0.0), np.asarray(1.0))


def read_soft_maximum(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read softmax along an axis."""
    return read_softmax(config, weights, inputs)


def read_average_pool(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read average pooling."""
    return pool(AveragePool, _as_layer(config), inputs, len(only(inputs)) - 1)


def read_max_pool(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read max pooling."""
    return pool(MaxPool, _as_layer(config), inputs, len(only(inputs)) - 1)


def _as_layer(config: LayerConfig) -> LayerConfig:
    """Return a pooling of tf.nn with the options that a layer has."""
    if "ksize" not in config.options:
        return config
    if config.get("data_format", "NHWC") not in ("NHWC", "NWC"):
        raise config.bad("data_format", "NHWC")
    options = {
        "pool_size": _spatial(config.get("ksize")),
        "strides": _spatial(config.get("strides")),
        "padding": str(config.get("padding")).lower(),
    }
    return replace(config, options=options)


def _spatial(sizes: Any) -> Any:
    """Return sizes of the spatial axes alone, where those of batch and channels stand beside them as 1."""
    whole = isinstance(sizes, list) and len(sizes) > 2 and sizes[0] == sizes[-1] == 1
    return sizes[1:-1] if whole else sizes
