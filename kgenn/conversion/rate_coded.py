"""What the rate-coded methods share: neurons that integrate and fire, and their options."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from kgenn.conversion.base import Converter, Dynamics
from kgenn.conversion.neurons import INTEGRATE_FIRE, INTEGRATE_FIRE_TO_ZERO
from kgenn.diagnostics import fail
from kgenn.ir.graph import Node


@dataclass(frozen=True)
class RateCoded(Converter):
    """A method whose neurons integrate and fire.

    Attributes:
        initial_potential: v at the start of a sample, in thresholds, in [0, 1); 1/2 makes the rate round
            instead of truncate.
    """

    initial_potential: float = field(default=0.5, metadata={"help": "initial potential in thresholds, 0 to 1"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.initial_potential < 1:
            raise fail("KG401", self.name, f"initial_potential is {self.initial_potential}; it lies in [0, 1)")

    def initial(self, unit: int) -> dict[str, float]:
        """Return the initial potential on the population's grid."""
        return {"v": float(np.floor(self.initial_potential * unit))}


@dataclass(frozen=True)
class SingleSpikes(RateCoded):
    """A rate-coded method whose neurons send one spike in a step at most.

    Attributes:
        reset: by subtraction of the threshold, or to zero.
    """

    reset: Literal["subtract", "zero"] = field(
        default="subtract", metadata={"help": "reset: subtract the threshold, or set to zero"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reset not in ("subtract", "zero"):
            raise fail("KG401", self.name, f"reset is {self.reset!r}; known: subtract, zero")

    def dynamics(self, node: Node, unit: int, num_timesteps: int) -> Dynamics:
        neuron = INTEGRATE_FIRE if self.reset == "subtract" else INTEGRATE_FIRE_TO_ZERO
        return Dynamics(neuron, {"v_thresh": float(unit)}, self.initial(unit))
