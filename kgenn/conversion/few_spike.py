"""Few-spike conversion: each neuron sends its activation as a binary number, one spike for each one in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kgenn.citations import Citation
from kgenn.conversion.base import Dynamics
from kgenn.conversion.neurons import FEW_SPIKE
from kgenn.conversion.staged import Staged
from kgenn.diagnostics import fail
from kgenn.ir.graph import Node
from kgenn.ir.network import ReadoutKind
from kgenn.ir.spike_code import MAX_BINARY_STEPS, CodeName


@dataclass(frozen=True)
class FewSpike(Staged):
    """Send each activation as a binary number of K bits, the largest first; T is K, the steps of a stage.

    With δ = λ/(2^K − 1), a neuron of activation a sends the bits of n = min(⌊a/δ + 1/2⌋, 2^K − 1) in K steps; a
    spike at step t = 0 … K − 1 stands for 2^(K − 1 − t)·δ. In the paper's terms δ = α·2^(−K). Where the paper
    truncates and lets α be the maximum, rounding and the least squared error are the defaults here.

    Source: Stöckl & Maass 2021, doi:10.1038/s42256-021-00311-4.
    """

    name: ClassVar[str] = "few-spike"
    citations: ClassVar[tuple[Citation, ...]] = ("stoeckl2021",)
    code: ClassVar[CodeName] = "binary"
    readouts: ClassVar[tuple[ReadoutKind, ...]] = ("current",)
    default_timesteps: ClassVar[int] = 8

    def levels(self, num_timesteps: int) -> int:
        return int(2**num_timesteps - 1)

    def check(self, num_timesteps: int) -> None:
        if num_timesteps > MAX_BINARY_STEPS:
            what = f"is {num_timesteps}; {self.name} takes at most {MAX_BINARY_STEPS}"
            raise fail("KG401", "timesteps", what, "pass --timesteps 8")

    def dynamics(self, node: Node, unit: int, num_timesteps: int) -> Dynamics:
        v_thresh = float(unit * 2 ** (num_timesteps - 1))
        return Dynamics(FEW_SPIKE, {"v_thresh": v_thresh, "v_round": self.half(unit)})
