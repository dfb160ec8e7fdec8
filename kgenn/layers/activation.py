"""Activations: ReLU, which becomes neurons, and the others, which only the forward pass knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape


class Elementwise(Layer):
    """A layer that computes each value from its own input, and perhaps its channel."""

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        return shape


@dataclass(frozen=True, eq=False)
class Identity(Elementwise):
    """Return the input: a linear activation, or a layer that acts in training only."""

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        return x


@dataclass(frozen=True, eq=False)
class ReLU(Elementwise):
    """Rectify as Keras does: x where x > threshold, capped at max_value, else negative_slope·(x − threshold)."""

    max_value: float | None = None
    negative_slope: float = 0.0
    threshold: float = 0.0

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        if self.negative_slope or self.threshold:
            below = self.negative_slope * (x - self.threshold)
            y = np.where(x > self.threshold, x, below).astype(x.dtype, copy=False)
        else:
            y = np.maximum(x, np.zeros((), x.dtype))
        return y if self.max_value is None else np.minimum(y, np.asarray(self.max_value, x.dtype))


@dataclass(frozen=True, eq=False)
class Softmax(Layer):
    """Normalise exponentials along an axis, counted from the end so that the batch axis does not matter."""

    axis: int = -1

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        return shape

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        exponentials = np.exp(x - x.max(axis=self.axis, keepdims=True))
        result: Array = exponentials / exponentials.sum(axis=self.axis, keepdims=True)
        return result


def _sigmoid(x: Array) -> Array:
    result: Array = 0.5 * (np.tanh(0.5 * x) + 1.0)
    return result


FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "softplus": lambda x: np.logaddexp(x, 0),
    "silu": lambda x: x * _sigmoid(x),
    "swish": lambda x: x * _sigmoid(x),
    "exponential": np.exp,
}


@dataclass(frozen=True, eq=False)
class Activation(Elementwise):
    """An element-wise function that no converter can turn into spikes; a key of `FUNCTIONS`."""

    function: str

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        return FUNCTIONS[self.function](x).astype(x.dtype, copy=False)
