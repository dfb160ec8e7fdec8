"""Deterministic rate encoding: an integrate-and-fire neuron driven by x."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from kgenn.diagnostics import fail
from kgenn.encoders.base import Encoder
from kgenn.ir.graph import Array, Shape
from kgenn.ir.network import Population
from kgenn.ir.network_input import InputCoding
from kgenn.ir.neuron_code import NeuronModel

# The integer that stands for 1: pixels of 8 or 16 bits keep their differences, and v stays exact in float32.
LEVELS = 1 << 20

IF_ENCODER = NeuronModel(
    name="if-encoder",
    params={"v_thresh": float(LEVELS)},
    state={"v": 0.0},
    update="v += i_ext",
    threshold="v >= v_thresh",
    reset="v -= v_thresh",
)


@dataclass(frozen=True)
class IntegrateFire(Encoder):
    """Integrate x in [0, 1] at every step, spike at 1, subtract 1: floor(v0 + t·x) spikes after t steps.

    Attributes:
        input_potential: v0, the potential at the start of a sample, in [0, 1).
    """

    name: ClassVar[str] = "if"
    neuron: ClassVar[NeuronModel] = IF_ENCODER

    input_potential: float = field(
        default=0.5, metadata={"help": "initial potential of the input neurons, 0 to 1"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.input_potential < 1:
            raise fail("KG401", "encoder if", f"input_potential is {self.input_potential}; it lies in [0, 1)")

    def coding(self, calibration: Array, num_timesteps: int) -> InputCoding:
        return InputCoding(self.name, LEVELS, 0.0, 1.0)

    def population(self, name: str, shape: Shape, num_timesteps: int) -> Population:
        initial = {"v": float(round(self.input_potential * LEVELS))}
        return Population(name, shape, self.neuron, initial=initial)
