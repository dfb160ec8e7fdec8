"""Activations: ReLU, which becomes neurons, and the others, which run on the host at a model's output."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.ir.output_activation import SOFTMAX, OutputActivation, elementwise, softmax


class OutputLayer(Layer):
    """A layer that the host can compute, where it is the last of a model."""

    @abstractmethod
    def on_host(self) -> OutputActivation:
        """Return what the host computes."""


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
            yield "activation", f"has a ReLU with a slope of {self.negative_slope:g} below zero"
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
class Softmax(OutputLayer):
    """Normalise exponentials along an axis, counted from the end so that the batch axis does not matter."""

    auxiliary: ClassVar[bool] = True

    axis: int = -1

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        return shape

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        return softmax(x, self.axis)

    def on_host(self) -> OutputActivation:
        return OutputActivation(SOFTMAX, {"axis": self.axis})


@dataclass(frozen=True, eq=False)
class Activation(Elementwise, OutputLayer):
    """An element-wise function that no converter turns into spikes; a key of `FORMULAS`."""

    auxiliary: ClassVar[bool] = True

    function: str

    def features(self) -> Iterator[tuple[str, str]]:
        yield "activation", f"has the activation {self.function!r} inside the network"

    @property
    def role(self) -> str:
        return self.function

    @property
    def contents(self) -> str:
        return self.function

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        return elementwise(self.function, x)

    def on_host(self) -> OutputActivation:
        return OutputActivation(self.function)
