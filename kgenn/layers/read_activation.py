"""Read activations, given by name or as a layer, and the layers that do nothing at inference."""

from __future__ import annotations

from collections.abc import Mapping

from kgenn.ir.graph import Layer, Shape
from kgenn.ir.output_activation import FORMULAS
from kgenn.layers.activation import Activation, Identity, PReLU, ReLU, Softmax
from kgenn.layers.config import LayerConfig, LayerReader, only, plain
from kgenn.layers.glu import Glu
from kgenn.layers.sparsemax import Sparsemax
from kgenn.layers.weights import Weights

# functions of keras.activations that need parameters, and others that a model cannot name
_UNNAMED = (
    "abs",
    "arctan",
    "clip",
    "cos",
    "erf",
    "exponential_share",
    "gelu_tanh",
    "log",
    "reciprocal",
    "relu",
    "rsqrt",
    "sin",
    "sqrt",
    "square",
    "threshold",
)
_NAMED: dict[str, tuple[Layer, ...]] = {
    "linear": (),
    "relu": (ReLU(),),
    "relu6": (ReLU(6.0),),
    "leaky_relu": (ReLU(negative_slope=0.2),),  # the default slope of keras.activations.leaky_relu
    "softmax": (Softmax(),),
    "log_softmax": (Softmax(is_log=True),),
    "sparsemax": (Sparsemax(),),
    "glu": (Glu(),),
    "swish": (Activation("silu"),),
    "hard_swish": (Activation("hard_silu"),),
    **{name: (Activation(name),) for name in FORMULAS if name not in _UNNAMED},
}
# the slope of keras.activations.hard_sigmoid before Keras 3, whose is 1/6
_KERAS_2: dict[str, tuple[Layer, ...]] = {"hard_sigmoid": (Activation("hard_sigmoid", {"slope": 0.2}),)}


def activation_of(config: LayerConfig) -> tuple[Layer, ...]:
    """Return the layers of a layer's `activation` entry; none where it is linear.

    The entry is a name, a function that Keras serialised, or an activation layer that Keras serialised.
    """
    value = config.get("activation", "linear")
    if _is_lambda(value):
        remedy = (
            "build the layer without activation, and after it a layer of Keras' own, such as ReLU with its slope, "
            "threshold and cap; copy the weights with set_weights, and save that"
        )
        raise config.error("KG107", "has Python code, a lambda, as its activation", remedy)
    if isinstance(value, Mapping):
        class_name, inner = str(value.get("class_name")), value.get("config")
        foreign = ">" in str(value.get("registered_name")) or ">" in class_name
        if class_name in _LAYERS and isinstance(inner, Mapping) and not foreign:
            layer = LayerConfig(config.name, config.class_name, inner, config.source, keras_2=config.keras_2)
            return tuple(x for x in _LAYERS[class_name](layer, _NO_WEIGHTS, ()) if not isinstance(x, Identity))
        value = inner if class_name == "function" and not foreign else class_name
    return named_activation(config, value)


def _is_lambda(value: object) -> bool:
    """Tell whether an activation is a function without a name: "<lambda>" in Keras 2, its code in Keras 3."""
    if isinstance(value, Mapping):
        return value.get("class_name") == "__lambda__" or ("class_name" not in value and "value" in value)
    return value == "<lambda>"


def named_activation(config: LayerConfig, name: object) -> tuple[Layer, ...]:
    """Return the layers of a function of keras.activations; none where it is linear."""
    if not isinstance(name, str) or name not in _NAMED:
        raise config.bad("activation", ", ".join(sorted([*_NAMED, *_LAYERS])))
    return _KERAS_2.get(name, _NAMED[name]) if config.keras_2 else _NAMED[name]


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
    return (ReLU(negative_slope=_number(config, key, 0.3)),)


def read_thresholded_relu(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read ThresholdedReLU of Keras 2."""
    return (ReLU(threshold=_number(config, "theta", 1.0)),)


def read_elu(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read ELU."""
    return (Activation("elu", {"alpha": _number(config, "alpha", 1.0)}),)


def read_prelu(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read PReLU, whose slopes are shared along some axes."""
    shape, value = only(inputs), config.get("shared_axes", [])
    axes = [config.axis(a, len(shape), "shared_axes") for a in (value if isinstance(value, list) else [value])]
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return (PReLU(weights.take("alpha", kept)),)


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


def _number(config: LayerConfig, key: str, default: float) -> float:
    """Return a number that Keras 2 may have written as an array of one."""
    value = plain(config.options.get(key))
    if isinstance(value, list) and len(value) == 1:
        return LayerConfig(config.name, config.class_name, {key: value[0]}, config.source).number(key)
    return config.number(key, default)


_LAYERS: dict[str, LayerReader] = {
    "Activation": read_activation,
    "ELU": read_elu,
    "LeakyReLU": read_leaky_relu,
    "ReLU": read_relu,
    "Softmax": read_softmax,
    "ThresholdedReLU": read_thresholded_relu,
}
_NO_WEIGHTS = Weights("", ())
