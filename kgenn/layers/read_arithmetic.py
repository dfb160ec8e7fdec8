"""Read operations of two operands: sums, products and extrema of tensors, and of a tensor with a constant.

With a constant they are affine, or a ReLU between affine layers:

    max(x, c) = ReLU(x − c) + c     min(x, c) = c − ReLU(c − x)     clip(x, a, b) = min(ReLU(x − a), b − a) + a
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.layers.activation import Activation, Identity, ReLU
from kgenn.layers.config import LayerConfig, Operand, only
from kgenn.layers.constants import affine, constant
from kgenn.layers.merge import Add, Divide, Maximum, Minimum, Multiply, Subtract
from kgenn.layers.power import Power
from kgenn.layers.weights import Weights

_FIRST, _SECOND = ("x1", "x", "value", "a"), ("x2", "y", "bias", "b")
_ZERO, _ONE = np.asarray(0.0), np.asarray(1.0)
_POWERS = {2: "square", 0.5: "sqrt", -0.5: "rsqrt", -1: "reciprocal"}
Chain = tuple[Layer, ...]


def read_add(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read the sum of two operands."""
    known = _constant(config, inputs)
    return _merged(Add(), config, inputs) if known is None else affine(only(inputs), _ONE, known[0])


def read_subtract(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read the difference of two operands."""
    known = _constant(config, inputs)
    if known is None:
        return _merged(Subtract(), config, inputs)
    value, first = known
    return affine(only(inputs), -_ONE, value) if first else affine(only(inputs), _ONE, -value)


def read_squared_difference(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read the square of the difference of two operands."""
    return (*read_subtract(config, weights, inputs), Activation("square"))


def read_multiply(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read the product of two operands."""
    known = _constant(config, inputs)
    return _merged(Multiply(), config, inputs) if known is None else affine(only(inputs), known[0], _ZERO)


def read_divide(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read the quotient of two operands."""
    known = _constant(config, inputs)
    if known is None:
        return _merged(Divide(), config, inputs)
    value, first = known
    if first:
        return (Activation("reciprocal"), *affine(only(inputs), value, _ZERO))
    if not value.all():
        raise config.odd("x2", 0, "what is not zero, to divide by")
    return affine(only(inputs), 1 / value, _ZERO)


def read_maximum(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read the larger of two operands."""
    known = _constant(config, inputs)
    return _merged(Maximum(), config, inputs) if known is None else _at_least(only(inputs), known[0])


def read_minimum(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read the smaller of two operands."""
    known = _constant(config, inputs)
    if known is None:
        return _merged(Minimum(), config, inputs)
    value = known[0]
    above = affine(only(inputs), -_ONE, value)
    return (*above, ReLU(), *affine(above[-1].output_shape(only(inputs)), -_ONE, value))


def read_clip(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read the limits that values are kept within."""
    low = config.argument(1, "x_min", "clip_value_min")
    high = config.argument(2, "x_max", "clip_value_max")
    if not all(isinstance(value, int | float) and np.isfinite(value) for value in (low, high)) or low > high:
        raise config.odd("x_min, x_max", (low, high), "finite numbers in order")
    return _at_least(only(inputs), np.asarray(float(low)), float(high) - float(low))


def read_negative(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read −x."""
    return affine(only(inputs), -_ONE, _ZERO)


def read_total(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read the sum of a list of tensors."""
    return (Add(),)


def read_power(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read a power with a constant exponent."""
    exponent = config.argument(1, *_SECOND)
    if not isinstance(exponent, int | float) or not np.isfinite(exponent):
        raise config.odd("x2", exponent, "a finite number as the exponent")
    only(inputs)
    if exponent == 1:
        return (Identity(),)
    return (Activation(_POWERS[exponent]),) if exponent in _POWERS else (Power(float(exponent)),)


def _at_least(shape: Shape, least: Array, cap: float | None = None) -> Chain:
    """Return the layers of max(x, least), or of ReLU alone where that is what it is."""
    if not least.any() and least.ndim <= 1 and least.size == 1:
        return (ReLU(cap),)
    below = affine(shape, _ONE, -least)
    return (*below, ReLU(cap), *affine(below[-1].output_shape(shape), _ONE, least))


def _constant(config: LayerConfig, inputs: tuple[Shape, ...]) -> tuple[Array, bool] | None:
    """Return the constant of two operands, and whether it is the first; None where both are tensors."""
    values = (config.argument(0, *_FIRST), config.argument(1, *_SECOND))
    for value, is_first in zip(values, (True, False), strict=True):
        if not isinstance(value, Operand):
            array = constant(config, value, "x1" if is_first else "x2")
            channels_first = config.get("data_format", "") in ("NCHW", "channels_first")  # of a bias
            spread = array.reshape(-1, *(1,) * (len(only(inputs)) - 1)) if channels_first else array
            return spread, is_first
    return None


def _merged(layer: Layer, config: LayerConfig, inputs: tuple[Shape, ...]) -> Chain:
    """Return the layer that merges two tensors, in the order in which they were given."""
    first, second = (config.argument(i, *names) for i, names in enumerate((_FIRST, _SECOND)))
    _check_order(config, first, second)
    if len({len(shape) for shape in inputs}) > 1:
        raise ValueError(f"inputs of shapes {inputs} have different numbers of axes, so that batches do not align")
    return (layer,)


def _check_order(config: LayerConfig, *values: Any) -> None:
    """Raise KG108 where tensors were given by name in another order than that of the operation."""
    indices = [value.index for value in values if isinstance(value, Operand)]
    if indices != sorted(indices):
        raise config.error("KG108", "is called with its tensors in reverse", "give the tensors in order")
