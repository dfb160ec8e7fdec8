"""A place where values become spikes once more, so that what reads them needs fewer synapses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kgenn.ir.graph import Array
from kgenn.layers.activation import Elementwise


@dataclass(frozen=True, eq=False)
class Relay(Elementwise):
    """Return the input; in the network two neurons stand for each value, one for each sign."""

    linear: ClassVar[bool] = True
    keeps_sign: ClassVar[bool] = True

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        return x
