"""What spikes stand for: how the activation of a neuron is read from its spike train, and when it is sent.

| code | schedule | weight of a spike at step t of T | full scale |
|---|---|---|---|
| rate | synchronous | 1 | T |
| binary | staged | 2^(T − 1 − t) | 2^T − 1 |
| latency | staged | T − t | T |
| differential | synchronous | 1 | of the method's choice |

The activation is λ times the sum of the weights of all spikes, divided by the full scale. In the differential code
a spike corrects what its neuron has sent so far, so that the sum of all spikes is the activation after any step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kgenn.ir.graph import Array

CodeName = Literal["rate", "binary", "latency", "differential"]
Schedule = Literal["synchronous", "staged"]


@dataclass(frozen=True)
class SpikeCode:
    """One of the codes above.

    Attributes:
        schedule: `synchronous` is step by step in topological order; in `staged` each population listens for
            one stage of T steps and sends in the next.
        steady: a constant current flows at every step; else only in a population's first own step.
        weights: returns, for T, the weight of a spike at each step, int64 of shape (T,).
    """

    schedule: Schedule
    steady: bool
    weights: Callable[[int], Array]

    @property
    def staged(self) -> bool:
        """Tell whether populations listen for a stage and send in the next."""
        return self.schedule == "staged"


SPIKE_CODES: Mapping[CodeName, SpikeCode] = {
    "rate": SpikeCode("synchronous", True, lambda steps: np.ones(steps, np.int64)),
    "binary": SpikeCode("staged", False, lambda steps: 2 ** np.arange(steps, dtype=np.int64)[::-1]),
    "latency": SpikeCode("staged", False, lambda steps: np.arange(steps, 0, -1, dtype=np.int64)),
    "differential": SpikeCode("synchronous", False, lambda steps: np.ones(steps, np.int64)),
}
# A direct current or a bias has as many units as a whole stage; with more steps than this, the grid that is exact
# for it would be coarser than the steps of the numbers.
MAX_BINARY_STEPS = 12
# The most timesteps of any network: 127 spikes in each fit a count of 32 bits, and a time is exact in float32.
MAX_STEPS = 1 << 23
