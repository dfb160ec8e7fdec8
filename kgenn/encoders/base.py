"""What every encoder is: a coding of real inputs as integers, and a neuron model driven by them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from kgenn.ir.graph import Array, Shape
from kgenn.ir.network import InputCoding, Population
from kgenn.ir.neuron_code import NeuronModel


@dataclass(frozen=True)
class Encoder(ABC):
    """An encoder with its options as fields."""

    name: ClassVar[str]
    citations: ClassVar[tuple[str, ...]] = ()
    neuron: ClassVar[NeuronModel]

    @abstractmethod
    def coding(self, calibration: Array, num_timesteps: int) -> InputCoding:
        """Return how inputs become integers.

        Args:
            calibration: inputs as the encoder will see them, shape (N, ...); only the range is used.
            num_timesteps: T.
        """

    def population(self, name: str, shape: Shape, num_timesteps: int) -> Population:
        """Return the input population."""
        return Population(name, shape, self.neuron)
