"""Direct encoding: the input drives the first layer as a constant current."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kgenn.encoders.base import Encoder
from kgenn.ir.graph import Array
from kgenn.ir.network_input import InputCoding
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

    Any real input is taken, and of either sign where the calibration data have both. The grid is made for pixels
    in [0, 1], or for magnitudes up to `HEADROOM` times the largest of the calibration data where that is more.
    """

    name: ClassVar[str] = "direct"
    neuron: ClassVar[NeuronModel] = DIRECT
    code: ClassVar[CodeName | None] = None

    def coding(self, calibration: Array, num_timesteps: int) -> InputCoding:
        high, low = float(np.max(calibration, initial=0.0)), float(np.min(calibration, initial=0.0))
        room = HEADROOM if low < 0 or high > 1 else 1.0
        largest = max(room * max(high, -low), 1.0)
        # wider inputs get fewer steps each, so that sums stay exact
        shift = max(0, int(np.ceil(np.log2(largest / LARGEST))))
        return InputCoding(self.name, LEVELS >> min(shift, 20), -largest if low < 0 else 0.0, largest, analog=True)
