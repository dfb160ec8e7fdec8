"""Spike encoding: the input is already 0 or 1."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from kgenn.encoders.base import Encoder
from kgenn.ir.graph import Array
from kgenn.ir.network_input import InputCoding
from kgenn.ir.neuron_code import NeuronModel

SPIKE = NeuronModel(name="spike", threshold="i_ext >= 1")


@dataclass(frozen=True)
class Spike(Encoder):
    """Spike at every step where the input is 1, never where it is 0; refuse anything else.

    Attributes:
        binarise: if given, an input above it counts as 1 and any other as 0.
    """

    name: ClassVar[str] = "spike"
    neuron: ClassVar[NeuronModel] = SPIKE

    binarise: float | None = field(default=None, metadata={"help": "inputs above this are 1"})

    def coding(self, calibration: Array, num_timesteps: int) -> InputCoding:
        return InputCoding(self.name, 1, 0.0, 1.0, binary=True, binarise=self.binarise)
