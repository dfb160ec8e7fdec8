"""Sparsemax: what lies above a threshold that the values along an axis have in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from kgenn.ir.graph import Array
from kgenn.ir.output_activation import SPARSEMAX, OutputActivation, sparsemax
from kgenn.layers.activation import OutputLayer, OverAxis


@dataclass(frozen=True, eq=False)
class Sparsemax(OverAxis, OutputLayer):
    """Return max(x − τ, 0) along an axis; see `kgenn.ir.output_activation.sparsemax`.

    No pieces stand for it inside a network: τ depends on the order of the values, and jumps where a value joins.

    Source: Martins & Astudillo 2016, arXiv:1602.02068.
    """

    auxiliary: ClassVar[bool] = True

    axis: int = -1

    def features(self) -> Iterator[tuple[str, str]]:
        yield "product", "has a sparsemax inside the network"

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        return sparsemax(x, self.axis)

    def on_host(self) -> OutputActivation:
        return OutputActivation(SPARSEMAX, {"axis": self.axis})
