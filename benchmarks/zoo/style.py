"""What the architectures share: width, batch normalisation, dropout, and one call for each kind of layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

NORMALISATION = "_norm"  # behind the name of a linear layer, in the name of its normalisation
Tensor = Any  # a symbolic Keras tensor, channels last


@dataclass(frozen=True)
class Style:
    """How an architecture is built.

    Attributes:
        width: multiplies the channels of every layer but the last.
        normalisation: the layer between each linear layer and its ReLU, which takes its bias' place, or None.
        dropout: the rate of the dropout layers; 0 leaves them out.
        bias: give the linear layers that no normalisation follows a bias.
    """

    width: float = 1.0
    normalisation: type[layers.Layer] | None = None
    dropout: float = 0.0
    bias: bool = False

    def channels(self, count: int) -> int:
        """Return a number of channels times the width, at least 1."""
        return max(1, round(count * self.width))

    @property
    def biased(self) -> bool:
        """Tell whether linear layers have a bias where a normalisation would follow."""
        return self.bias and self.normalisation is None

    @property
    def constraint(self) -> keras.constraints.Constraint | None:
        """Return what the normalisation wants of the kernels before it."""
        return getattr(self.normalisation, "kernel_constraint", None)

    def conv(
        self,
        x: Tensor,
        channels: int,
        size: int,
        name: str,
        strides: int = 1,
        relu: bool = True,
        padding: str = "same",
    ) -> Tensor:
        """Convolve, and rectify unless told otherwise."""
        linear = layers.Conv2D(
            self.channels(channels),
            size,
            strides=strides,
            padding=padding,
            use_bias=self.biased,
            kernel_initializer="he_normal",
            kernel_constraint=self.constraint,
            name=name,
        )
        return self._finished(linear(x), name, relu)

    def depthwise(self, x: Tensor, name: str, strides: int = 1) -> Tensor:
        """Convolve each channel with a kernel 3x3 of its own, padding `same`, and rectify."""
        linear = layers.DepthwiseConv2D(
            3,
            strides=strides,
            padding="same",
            use_bias=self.biased,
            depthwise_initializer="he_normal",
            name=name,
        )
        return self._finished(linear(x), name, True)

    def dense(self, x: Tensor, units: int, name: str) -> Tensor:
        """Connect fully, rectify, and drop out."""
        linear = layers.Dense(
            self.channels(units),
            use_bias=self.biased,
            kernel_initializer="he_normal",
            kernel_constraint=self.constraint,
            name=name,
        )
        return self.drop(self._finished(linear(x), name, True), name)

    def classify(self, x: Tensor, classes: int, name: str = "classes") -> Tensor:
        """Connect fully to one unit for each class, with a softmax; always in float32."""
        return layers.Dense(classes, activation="softmax", use_bias=self.bias, dtype="float32", name=name)(x)

    def drop(self, x: Tensor, name: str) -> Tensor:
        """Drop out, where there is dropout."""
        return layers.Dropout(self.dropout, name=f"{name}_dropout")(x) if self.dropout else x

    def _finished(self, x: Tensor, name: str, relu: bool) -> Tensor:
        if self.normalisation is not None:
            x = self.normalisation(name=f"{name}{NORMALISATION}")(x)
        return layers.ReLU(name=f"{name}_relu")(x) if relu else x
