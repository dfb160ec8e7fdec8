"""What every encoder is: a coding of real inputs as integers, and a neuron model driven by them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from kgenn.citations import Citation
from kgenn.config import check_types
from kgenn.ir.graph import Array, Shape
from kgenn.ir.network import Population
from kgenn.ir.network_input import InputCoding
from kgenn.ir.neuron_code import NeuronModel
from kgenn.ir.spike_code import CodeName


@dataclass(frozen=True)
class Encoder(ABC):
    """An encoder with its options as fields.

    Attributes:
        name: what the command line calls it.
        citations: keys or entries of `kgenn.citations`.
        neuron: the model of the input population's neurons.
        code: what its spikes stand for, which must be the converter's; None where it sends none.
    """

    name: ClassVar[str]
    citations: ClassVar[tuple[Citation, ...]] = ()
    neuron: ClassVar[NeuronModel]
    code: ClassVar[CodeName | None] = "rate"

    def __post_init__(self) -> None:
        check_types(self, f"encoder {self.name}")

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
