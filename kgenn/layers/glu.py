"""The gated linear unit: one half of the channels, each times the sigmoid of its partner in the other half."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kgenn.ir.graph import Array, Shape
from kgenn.ir.output_activation import elementwise
from kgenn.layers.activation import OverAxis


@dataclass(frozen=True, eq=False)
class Glu(OverAxis):
    """Cut an axis into halves a and b, and return a · sigmoid(b).

    Source: Dauphin et al. 2017, arXiv:1612.08083.
    """

    axis: int = -1

    def features(self) -> Iterator[tuple[str, str]]:
        yield "product", "multiplies activations by each other"

    @property
    def contents(self) -> str:
        return "half times the sigmoid of half"

    def output_shape(self, *inputs: Shape) -> Shape:
        shape = list(inputs[0])
        if len(shape) < -self.axis or shape[self.axis] % 2:
            raise ValueError(f"axis {self.axis} of {inputs[0]} has no halves")
        shape[self.axis] //= 2
        return tuple(shape)

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        value, gate = np.split(x, 2, axis=self.axis)
        product: Array = value * elementwise("sigmoid", gate)
        return product
