"""Read activations, given by name or as a layer, and the layers that do nothing at inference."""

from __future__ import annotations

from collections.abc import Mapping

from kgenn.ir.graph import Layer, Shape
from kgenn.ir.output_activation import FORMULAS
from kgenn.layers.activation import Activation, Identity, ReLU, Softmax
from kgenn.layers.config import LayerConfig, LayerReader, only
from kgenn.layers.weights import Weights

_NAMED: dict[str, tuple[Layer, ...]] = {
    "linear": (),
    "relu": (ReLU(),),
    "relu6": (ReLU(6.0),),
    "leaky_relu": (ReLU(negative_slope=0.2),),  # the default slope of keras.activations.leaky_relu
    "softmax": (Softmax(),),
    "swish": (Activation("silu"),),
    **{name: (Activation(name),) for name in FORMULAS if name != "relu"},
}


def activation_of(config: LayerConfig) -> tuple[Layer, ...]:
    """Return the layers of a layer's `activation` entry; none where it is linear.

    The entry is a name, a function that Keras serialised, or an activation layer that Keras serialised.
    """
    value = config.get("activation", "linear")
    if isinstance(value, Mapping):
        class_name, inner = str(value.get("class_name")), value.get("config")
        if class_name in _LAYERS and isinstance(inner, Mapping) and ">" not in str(value.get("registered_name")):
            layer = LayerConfig(config.name, config.class_name, inner, config.source)
            return tuple(x for x in _LAYERS[class_name](layer, _NO_WEIGHTS, ()) if not isinstance(x, Identity))
        is_function = class_name == "function" and ">" not in str(value.get("registered_name"))
        value = inner if is_function else class_name
    if not isinstance(value, str) or value not in _NAMED:
        raise config.bad("activation", ", ".join(sorted([*_NAMED, *_LAYERS])))
    return _NAMED[value]


def read_activation(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read Activation."""
    return activation_of(config) or (Identity(),)


def read_relu(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read ReLU; Keras before 2.2.3 wrote max_value only."""
    cap = None if config.get("max_value", None) is None else config.number("max_value")
    return (ReLU(cap, config.number("negative_slope", 0.0), config.number("threshold", 0.0)),)


def read_leaky_relu(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read LeakyReLU, whose slope Keras 2 calls alpha."""
    key = "alpha" if "alpha" in config.options else "negative_slope"
    return (ReLU(negative_slope=config.number(key, 0.3)),)


def read_softmax(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read Softmax; its axis is kept counted from the end."""
    value = config.get("axis", -1)
    if value in (-1, [-1]):
        return (Softmax(),)
    rank = len(only(inputs))
    return (Softmax(config.axis(value, rank) - rank),)


def read_identity(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read a layer that acts in training only."""
    only(inputs)
    return (Identity(),)


def read_masking(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read Masking, of data in which nothing is masked."""
    only(inputs)
    value = config.number("mask_value", 0.0)
    config.notes.append(f"{config.name}: read as nothing, for data in which no step is {value:g} throughout")
    return (Identity(),)


_LAYERS: dict[str, LayerReader] = {
    "Activation": read_activation,
    "LeakyReLU": read_leaky_relu,
    "ReLU": read_relu,
    "Softmax": read_softmax,
}
_NO_WEIGHTS = Weights("", ())
