"""Burst conversion: a neuron sends what it owes in one step, up to a limit, instead of one spike in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from kgenn.citations import Citation
from kgenn.conversion.base import Dynamics, Memoise, uncached
from kgenn.conversion.data_norm import PercentileScaled
from kgenn.conversion.neurons import BURST
from kgenn.conversion.scales import SCALE_FACTOR, cap_of, capped
from kgenn.diagnostics import fail
from kgenn.ir.graph import Array, Graph, Node
from kgenn.ir.samples import Samples

# A spike's value is stored in 8 bits.
MAX_SPIKES = 127


@dataclass(frozen=True)
class Burst(PercentileScaled):
    """Send up to γ spikes in a step, n = min(γ, ⌊v⌋), v −= n; λ is a share of a percentile of the activation.

    In the paper λ is the percentile itself, and bursts only send what single spikes left over. With a smaller λ,
    rates settle within a few steps, because a neuron can send more than its activation.

    Max pooling is lateral inhibition pooling. A ReLU with a cap keeps it: its neurons send single spikes.

    Attributes:
        gamma: γ, the most spikes in a step, 1 to 127.
        scale_factor: λ as a share of the percentile, in (0, 1]; 1 is the paper's.

    Source: Li & Zeng 2022, arXiv:2204.13271.
    """

    name: ClassVar[str] = "burst"
    citations: ClassVar[tuple[Citation, ...]] = ("li2022burst",)
    default_timesteps: ClassVar[int] = 64

    gamma: int = field(default=5, metadata={"help": "largest number of spikes of a neuron in a step"})
    scale_factor: float = field(default=0.4, metadata={"help": SCALE_FACTOR})

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.gamma <= MAX_SPIKES:
            raise fail("KG401", self.name, f"gamma is {self.gamma}; it lies in 1 to {MAX_SPIKES}")
        if not 0 < self.scale_factor <= 1:
            raise fail("KG401", self.name, f"scale_factor is {self.scale_factor}; it lies in (0, 1]")

    def scales(self, graph: Graph, samples: Samples, memoise: Memoise = uncached) -> Mapping[str, Array]:
        found = capped(graph, super().scales(graph, samples, memoise))
        # capped neurons send single spikes, and need the whole range
        return {n: s if cap_of(graph.by_name[n]) else s * self.scale_factor for n, s in found.items()}

    def spike_range(self, num_timesteps: int) -> tuple[int, int]:
        return 0, self.gamma

    def dynamics(self, node: Node, unit: int, num_timesteps: int) -> Dynamics:
        gamma = 1.0 if cap_of(node) else float(self.gamma)
        return Dynamics(BURST, {"v_thresh": float(unit), "gamma": gamma}, self.initial(unit), gamma)
