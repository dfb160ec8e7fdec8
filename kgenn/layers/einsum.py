"""Einstein sums of two tensors: products of activations, added up along axes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape


@dataclass(frozen=True, eq=False)
class Einsum(Layer):
    """Multiply two tensors and add up the axes that the output lacks.

    Attributes:
        first, second, output: a letter for each axis of the inputs and of the output, without the batch axis.
    """

    keeps_sign: ClassVar[bool] = True

    first: str
    second: str
    output: str

    def features(self) -> Iterator[tuple[str, str]]:
        yield "product", "multiplies activations by each other"

    @property
    def contents(self) -> str:
        return f"{self.first}, {self.second} → {self.output}"

    def output_shape(self, *inputs: Shape) -> Shape:
        sizes = self.sizes(*inputs)
        return tuple(sizes[label] for label in self.output)

    def sizes(self, *inputs: Shape) -> dict[str, int]:
        """Return the length of each label, where 1 is repeated; raise ValueError where the inputs do not fit."""
        if len(inputs) != 2:
            raise ValueError(f"takes two inputs, but is called on {len(inputs)}")
        sizes: dict[str, int] = {}
        for labels, shape in zip((self.first, self.second), inputs, strict=True):
            if len(labels) != len(shape) or len(set(labels)) != len(labels):
                raise ValueError(f"axes {labels!r} are not those of an input of {shape}")
            for label, n in zip(labels, shape, strict=True):
                sizes[label] = n if sizes.get(label, 1) == 1 else sizes[label]
                if n not in (1, sizes[label]):
                    raise ValueError(
                        f"inputs of shapes {inputs} do not fit the axes {self.first!r}, {self.second!r}"
                    )
        if not set(self.output) <= sizes.keys() or len(set(self.output)) != len(self.output):
            raise ValueError(f"axes {self.output!r} of the output are not those of the inputs")
        return sizes

    def forward(self, *inputs: Array) -> Array:
        first, second = inputs
        y: Array = np.einsum(f"...{self.first},...{self.second}->...{self.output}", first, second, optimize=True)
        return y

    def macs(self, *inputs: Shape) -> int:
        return prod(self.sizes(*inputs).values())
