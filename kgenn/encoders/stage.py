"""The encoders of staged networks: the input itself as a binary number, or as the time of one spike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from kgenn.citations import Citation
from kgenn.encoders.base import Encoder
from kgenn.ir.graph import Array, Shape
from kgenn.ir.network import Population
from kgenn.ir.network_input import InputCoding
from kgenn.ir.neuron_code import NeuronModel
from kgenn.ir.spike_code import CodeName

FEW_SPIKE_INPUT = NeuronModel(
    name="few-spike-input",
    params={"v_thresh": 1.0},  # 2^(K − 1)
    state={"v": 0.0},
    update="v = abs(i_ext) if t == 0 else v + v",
    threshold="v >= v_thresh",
    reset="v -= v_thresh",
)

FEW_SPIKE_SIGNED_INPUT = replace(FEW_SPIKE_INPUT, name="few-spike-signed-input", emit="sign(i_ext)")

TTFS_INPUT = NeuronModel(
    name="ttfs-input",
    params={"v_thresh": 1.0},  # t_max
    threshold="t + i_ext == v_thresh",
)


@dataclass(frozen=True)
class FewSpikeInput(Encoder):
    """Send x in [0, 1] as a binary number of K bits, rint(x·(2^K − 1)), the largest bit first."""

    name: ClassVar[str] = "few-spike"
    neuron: ClassVar[NeuronModel] = FEW_SPIKE_INPUT
    code: ClassVar[CodeName | None] = "binary"
    citations: ClassVar[tuple[Citation, ...]] = ("stoeckl2021",)
    low: ClassVar[float] = 0.0

    def coding(self, calibration: Array, num_timesteps: int) -> InputCoding:
        return InputCoding(self.name, 2**num_timesteps - 1, self.low, 1.0)

    def population(self, name: str, shape: Shape, num_timesteps: int) -> Population:
        return Population(name, shape, self.neuron, {"v_thresh": float(2 ** (num_timesteps - 1))})


@dataclass(frozen=True)
class FewSpikeSignedInput(FewSpikeInput):
    """Send |x|, x in [−1, 1], as a binary number of K bits; each spike carries the sign."""

    name: ClassVar[str] = "few-spike-signed"
    neuron: ClassVar[NeuronModel] = FEW_SPIKE_SIGNED_INPUT
    low: ClassVar[float] = -1.0


@dataclass(frozen=True)
class TtfsInput(Encoder):
    """Send x in [0, 1] as one spike at step t_max − rint(x·t_max); none where that rounds to zero."""

    name: ClassVar[str] = "ttfs"
    neuron: ClassVar[NeuronModel] = TTFS_INPUT
    code: ClassVar[CodeName | None] = "latency"
    citations: ClassVar[tuple[Citation, ...]] = ("lopezrandulfe2022",)

    def coding(self, calibration: Array, num_timesteps: int) -> InputCoding:
        return InputCoding(self.name, num_timesteps, 0.0, 1.0)

    def population(self, name: str, shape: Shape, num_timesteps: int) -> Population:
        return Population(name, shape, self.neuron, {"v_thresh": float(num_timesteps)})
