"""Powers of values that are no activation of their own, such as cubes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kgenn.ir.graph import Array
from kgenn.layers.activation import Curve


@dataclass(frozen=True, eq=False)
class Power(Curve):
    """Raise each value to a constant power: x^exponent."""

    exponent: float

    def features(self) -> Iterator[tuple[str, str]]:
        yield "activation", f"raises activations to the power of {self.exponent:g}"

    @property
    def positive(self) -> bool:
        return self.exponent < 0 or self.exponent != int(self.exponent)

    @property
    def contents(self) -> str:
        return f"power of {self.exponent:g}"

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        y: Array = np.power(x, x.dtype.type(self.exponent))
        return y
