"""What every converter is: rules for the scale of each population, and the neurons it is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from kgenn.ir.graph import Array, Graph
from kgenn.ir.neuron_code import NeuronModel


@dataclass(frozen=True)
class Converter(ABC):
    """A conversion method with its options as fields.

    Attributes:
        name: what the command line calls it.
        represents: the features beyond the strict profile that it can represent exactly, as `--allow` names them.
        citation: the source, in a line.
    """

    name: ClassVar[str]
    represents: ClassVar[frozenset[str]]
    citation: ClassVar[str]

    @abstractmethod
    def scales(self, graph: Graph, calibration: Array) -> Mapping[str, Array]:
        """Return λ of each ReLU of a lowered graph: the activation that one spike in every step stands for.

        Args:
            graph: lowered.
            calibration: inputs as the user gives them, shape (N, *input shape).

        Returns:
            For each ReLU's name a positive array of shape () or (channels,).
        """

    @property
    @abstractmethod
    def neuron(self) -> NeuronModel:
        """Return the neuron model of the spiking populations."""

    @property
    @abstractmethod
    def initial_v(self) -> float:
        """Return the membrane potential at the start of a sample, in thresholds."""
