"""Poisson encoding: a spike with probability x at every step, independent of every other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kgenn.encoders.base import Encoder
from kgenn.ir.graph import Array
from kgenn.ir.network_input import InputCoding
from kgenn.ir.neuron_code import NeuronModel

# random24() is uniform over so many integers; x = 1 fires at every step, x = 0 never
LEVELS = 1 << 24

POISSON = NeuronModel(name="poisson", threshold="random24() < i_ext")

POISSON_SIGNED = NeuronModel(name="poisson-signed", threshold="random24() < abs(i_ext)", emit="sign(i_ext)")


@dataclass(frozen=True)
class Poisson(Encoder):
    """Spike with probability x in [0, 1], a Bernoulli trial at every step.

    Attributes:
        signed: take x in [−1, 1]; the probability is |x|, and the spike carries the sign.
    """

    name: ClassVar[str] = "poisson"

    signed: bool = False

    @property
    def neuron(self) -> NeuronModel:  # type: ignore[override]
        """Return the neuron model, which depends on the sign."""
        return POISSON_SIGNED if self.signed else POISSON

    def coding(self, calibration: Array, num_timesteps: int) -> InputCoding:
        name = "poisson-signed" if self.signed else "poisson"
        return InputCoding(name, LEVELS, -1.0 if self.signed else 0.0, 1.0)


@dataclass(frozen=True)
class PoissonSigned(Poisson):
    """Spike with probability |x|, x in [−1, 1]; the spike carries the sign."""

    name: ClassVar[str] = "poisson-signed"

    signed: bool = True
