"""Activations: ReLU, which becomes neurons, and the others, which become ReLUs, or run on the host at the end."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.ir.output_activation import (
    LOG_SOFTMAX,
    POSITIVE,
    SOFTMAX,
    OutputActivation,
    elementwise,
    log_softmax,
    softmax,
)


class OutputLayer(Layer):
    """A layer that the host can compute, where it is the last of a model."""

    @abstractmethod
    def on_host(self) -> OutputActivation:
        """Return what the host computes."""


class OverAxis(Layer):
    """A layer that works along one axis, counted from the end so that the batch axis does not matter.

    Attributes:
        axis: of the model as Keras has it, channels first or last.
    """

    axis: int

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        return shape


class Elementwise(Layer):
    """A layer that computes each value from its own input, and perhaps its channel."""

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        return shape


@dataclass(frozen=True, eq=False)
class Identity(Elementwise):
    """Return the input: a linear activation, or a layer that acts in training only."""

    linear: ClassVar[bool] = True
    keeps_sign: ClassVar[bool] = True

    @property
    def contents(self) -> str:
        return "nothing at inference"

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        return x


@dataclass(frozen=True, eq=False)
class ReLU(Elementwise, OutputLayer):
    """Rectify as Keras does: x where x > threshold, capped at max_value, else negative_slope·(x − threshold)."""

    population: ClassVar[bool] = True
    auxiliary: ClassVar[bool] = True

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

    @property
    def is_plain(self) -> bool:
        """Tell whether it is max(x, 0), perhaps capped."""
        return not (self.negative_slope or self.threshold)

    def features(self) -> Iterator[tuple[str, str]]:
        if self.negative_slope:
            where = f"{self.threshold:g}" if self.threshold else "zero"
            yield "activation", f"has a ReLU with a slope of {self.negative_slope:g} below {where}"
        elif self.threshold:
            yield "activation", f"has a ReLU with a threshold of {self.threshold:g}"
        if self.max_value is not None:
            yield "relu-cap", f"has a ReLU capped at {self.max_value:g}"

    @property
    def contents(self) -> str:
        return "ReLU" if self.max_value is None else f"ReLU up to {self.max_value:g}"

    def on_host(self) -> OutputActivation:
        cap = {} if self.max_value is None else {"max_value": self.max_value}
        return OutputActivation(
            "relu", {**cap, "negative_slope": self.negative_slope, "threshold": self.threshold}
        )


@dataclass(frozen=True, eq=False)
class Softmax(OverAxis, OutputLayer):
    """Normalise exponentials along an axis.

    Attributes:
        is_log: the logarithm of that.
    """

    auxiliary: ClassVar[bool] = True

    axis: int = -1
    is_log: bool = False

    def features(self) -> Iterator[tuple[str, str]]:
        yield "product", "has a softmax inside the network"

    @property
    def role(self) -> str:
        return LOG_SOFTMAX if self.is_log else SOFTMAX

    @property
    def contents(self) -> str:
        return self.role

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        return (log_softmax if self.is_log else softmax)(x, self.axis)

    def on_host(self) -> OutputActivation:
        return OutputActivation(self.role, {"axis": self.axis})


@dataclass(frozen=True, eq=False)
class LogSumExp(Layer):
    """Take the logarithm of the sum of exponentials along the last axis, which stays with a length of 1."""

    auxiliary: ClassVar[bool] = True

    def features(self) -> Iterator[tuple[str, str]]:
        yield "activation", "takes the logarithm of a sum of exponentials"

    @property
    def contents(self) -> str:
        return "log-sum-exp"

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        return (*shape[:-1], 1)

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        largest = x.max(axis=-1, keepdims=True)
        y: Array = largest + np.log(np.exp(x - largest).sum(axis=-1, keepdims=True))
        return y


class Curve(Elementwise):
    """An element-wise function that no neuron computes: inside a network it becomes straight pieces.

    Attributes:
        positive: it is a function of values above zero alone.
    """

    @property
    def positive(self) -> bool:
        return False


@dataclass(frozen=True, eq=False)
class Activation(Curve, OutputLayer):
    """An element-wise function that is no ReLU.

    Attributes:
        function: a key of `FORMULAS`.
        params: of the formula, where they are not its defaults.
    """

    auxiliary: ClassVar[bool] = True

    function: str
    params: Mapping[str, float] = field(default_factory=dict)

    def features(self) -> Iterator[tuple[str, str]]:
        yield "activation", f"has the activation {self.function!r} inside the network"

    @property
    def role(self) -> str:
        return self.function

    @property
    def contents(self) -> str:
        return self.function

    @property
    def positive(self) -> bool:
        return self.function in POSITIVE

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        return elementwise(self.function, x, self.params)

    def on_host(self) -> OutputActivation:
        return OutputActivation(self.function, self.params)


@dataclass(frozen=True, eq=False)
class Gated(Curve):
    """Multiply a value by a function of itself: x·g(x), as in a swish.

    Attributes:
        gate: the layers of g, one after the other, each of one value alone.
    """

    gate: tuple[Layer, ...]

    def features(self) -> Iterator[tuple[str, str]]:
        yield "activation", "multiplies activations by a function of themselves"

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        y = x
        for layer in self.gate:
            y = layer.forward(y)
        product: Array = x * y
        return product


@dataclass(frozen=True, eq=False)
class PReLU(Elementwise):
    """Rectify with a slope below zero that was learnt: x where x > 0, else alpha·x.

    Attributes:
        alpha: broadcasts to the input's shape.
    """

    alpha: Array

    def features(self) -> Iterator[tuple[str, str]]:
        yield "activation", f"has a ReLU with {self.alpha.size} slopes below zero"

    @property
    def contents(self) -> str:
        return f"ReLU with {self.alpha.size} slopes"

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        y: Array = np.maximum(x, 0) + self.alpha.astype(x.dtype) * np.minimum(x, 0)
        return y.astype(x.dtype, copy=False)
