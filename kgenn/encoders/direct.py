"""Direct encoding: the input drives the first layer as a constant current."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kgenn.encoders.base import Encoder
from kgenn.ir.graph import Array
from kgenn.ir.network import InputCoding
from kgenn.ir.neuron_code import NeuronModel
from kgenn.ir.spike_code import CodeName

# Steps of the input grid between 0 and 1. Times weights below 2**24 it stays exact in float64 up to inputs of
# 2**9, and is finer than float32 pixels / 255 are exact.
LEVELS = 1 << 20
LARGEST = float(1 << 9)
# Standardised test data reach a little beyond those of the calibration.
HEADROOM = 1.5

DIRECT = NeuronModel(name="direct")


@dataclass(frozen=True)
class Direct(Encoder):
    """Inject the first layer's pre-activation as a constant current, computed once for each sample.

    Any real input is taken, of either sign. The grid is made for pixels in [0, 1], or for what lies within
    `HEADROOM` times the range of the calibration data where that is wider.
    """

    name: ClassVar[str] = "direct"
    neuron: ClassVar[NeuronModel] = DIRECT
    code: ClassVar[CodeName | None] = None

    def coding(self, calibration: Array, num_timesteps: int) -> InputCoding:
        high, low = float(np.max(calibration, initial=0.0)), float(np.min(calibration, initial=0.0))
        if low < 0 or high > 1:
            high, low = HEADROOM * high, HEADROOM * low
        high = max(high, 1.0)
        largest = max(high, -low)
        # wider inputs get fewer steps each, so that sums stay exact
        shift = max(0, int(np.ceil(np.log2(largest / LARGEST))))
        return InputCoding(self.name, LEVELS >> min(shift, 20), low, high, analog=True)
