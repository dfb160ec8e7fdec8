"""Read operations that are activations, and poolings and resizings that are called as operations."""

from __future__ import annotations

from dataclasses import replace

from kgenn.ir.graph import Layer, Shape
from kgenn.layers.activation import ReLU
from kgenn.layers.config import LayerConfig, only
from kgenn.layers.pooling import AveragePool, MaxPool
from kgenn.layers.power import Power
from kgenn.layers.read_activation import activation_of, read_relu, read_softmax
from kgenn.layers.read_pooling import pool
from kgenn.layers.weights import Weights

Chain = tuple[Layer, ...]
# what the name of an operation is among activations, where it is not the name in lower case
_NAMES = {
    "Exp": "exponential",
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
    "HardTanh": "hard_tanh",
    "LogSigmoid": "log_sigmoid",
    "LogSoftmax": "log_softmax",
    "SoftShrink": "soft_shrink",
    "tf.math.exp": "exponential",
    "tf.math.log_sigmoid": "log_sigmoid",
}


def read_function(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read an operation that is an activation without options."""
    only(inputs)
    name = _function(config)
    return activation_of(
        replace(config, options={"activation": _NAMES.get(name, name.rpartition(".")[2].lower())})
    )


def _function(config: LayerConfig) -> str:
    """Return the name of an operation: its class, or the function of TensorFlow that it is."""
    return f"tf.{config.options['function']}" if config.class_name == "TFOpLambda" else config.class_name


def read_gelu(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read GELU, exact or by a hyperbolic tangent; the default is this in Keras, the former in TensorFlow."""
    only(inputs)
    approximate = config.flag("approximate", config.class_name == "Gelu")
    return activation_of(replace(config, options={"activation": "gelu_tanh" if approximate else "gelu"}))


def read_elu(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read ELU, of alpha 1."""
    only(inputs)
    if config.number("alpha", 1.0) != 1.0:
        raise config.bad("alpha", "1.0")
    return activation_of(replace(config, options={"activation": "elu"}))


def read_leaky_relu(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read a leaky ReLU, whose slope TensorFlow calls alpha."""
    only(inputs)
    key = "alpha" if "alpha" in config.options else "negative_slope"
    return (ReLU(negative_slope=config.number(key, 0.2)),)


def read_relu_layer(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read keras.activations.relu, with its cap, slope and threshold."""
    only(inputs)
    return read_relu(config, weights, inputs)


def read_soft_maximum(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read softmax along an axis."""
    return read_softmax(config, weights, inputs)


def read_absolute(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read |x|, a ReLU with a slope of −1 below zero."""
    only(inputs)
    return (ReLU(negative_slope=-1.0),)


def read_square(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read x²."""
    only(inputs)
    return (Power(2.0),)


def read_root(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read √x."""
    only(inputs)
    return (Power(0.5),)


def read_reciprocal_root(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read 1/√x."""
    only(inputs)
    return (Power(-0.5),)


def read_reciprocal(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read 1/x."""
    only(inputs)
    return (Power(-1.0),)


def read_average_pool(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read average pooling."""
    return pool(AveragePool, config, inputs, len(only(inputs)) - 1)


def read_max_pool(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read max pooling."""
    return pool(MaxPool, config, inputs, len(only(inputs)) - 1)
