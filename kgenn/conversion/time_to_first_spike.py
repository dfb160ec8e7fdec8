"""Time-to-first-spike conversion: each neuron fires at most once, the earlier the larger its activation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kgenn.citations import Citation
from kgenn.conversion.base import Dynamics
from kgenn.conversion.neurons import TIME_TO_FIRST_SPIKE
from kgenn.conversion.staged import Staged
from kgenn.diagnostics import fail
from kgenn.ir.graph import Node
from kgenn.ir.network import ReadoutKind
from kgenn.ir.spike_code import CodeName

# With t_max units in λ, twice that must leave the grid of a population some bits of float32.
MAX_TIMESTEPS = 4096


@dataclass(frozen=True)
class TimeToFirstSpike(Staged):
    """Send each activation as the time of one spike; T is t_max, the steps of a stage.

    With δ = λ/t_max, a neuron of activation a fires at step t_max − n, n = min(⌊a/δ + 1/2⌋, t_max), and not at
    all for n = 0. In the silent stage u(t) = Σ W·(t − t_j) over the spikes so far; in the spiking stage a constant
    current u_th/t_max raises u to the threshold u_th. λ and u_th are one choice: λ is the activation for which u
    reaches u_th by itself. The least squared error on the calibration set makes it, layer by layer.

    Source: López-Randulfe, Reeb & Knoll 2022 (Conference on Cognitive Computational Neuroscience).
    """

    name: ClassVar[str] = "ttfs"
    citations: ClassVar[tuple[Citation, ...]] = ("lopezrandulfe2022",)
    code: ClassVar[CodeName] = "latency"
    readouts: ClassVar[tuple[ReadoutKind, ...]] = ("current",)
    default_timesteps: ClassVar[int] = 64

    def check(self, num_timesteps: int) -> None:
        if num_timesteps > MAX_TIMESTEPS:
            what = f"is {num_timesteps}; {self.name} takes at most {MAX_TIMESTEPS}"
            raise fail("KG401", "timesteps", what, "pass --timesteps 64")

    def dynamics(self, node: Node, unit: int, num_timesteps: int) -> Dynamics:
        params = {"v_thresh": float(unit * num_timesteps), "v_unit": float(unit), "v_round": self.half(unit)}
        return Dynamics(TIME_TO_FIRST_SPIKE, params)
