"""Read the layers that join branches."""

from __future__ import annotations

from typing import Any

from kgenn.ir.graph import Layer, Shape
from kgenn.layers.config import LayerConfig
from kgenn.layers.merge import Add, Average, Concatenate, Dot, Maximum, Minimum, Multiply, Subtract
from kgenn.layers.weights import Weights


def read_add(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read Add."""
    return (Add(),)


def read_subtract(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read Subtract."""
    return (Subtract(),)


def read_average(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read Average."""
    return (Average(),)


def read_multiply(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read Multiply."""
    return (Multiply(),)


def read_maximum(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read Maximum."""
    return (Maximum(),)


def read_minimum(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read Minimum."""
    return (Minimum(),)


def read_concatenate(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read Concatenate; its axis is kept counted from the end."""
    rank = min((len(shape) for shape in inputs), default=0)
    return (Concatenate(config.axis(config.get("axis", -1), rank) - rank),)


def read_dot(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read Dot, whose axes are one for both inputs, or one for each."""
    value: Any = config.get("axes")
    both = [value, value] if isinstance(value, int) else value
    if not isinstance(both, list) or len(both) != 2:
        raise config.bad("axes", "an axis for both inputs, or one for each")
    if len(inputs) != 2:
        raise ValueError(f"takes two inputs, but is called on {len(inputs)}")
    left, right = (config.axis(axis, len(shape), "axes") for axis, shape in zip(both, inputs, strict=True))
    return (Dot((left, right), config.flag("normalize", False)),)
