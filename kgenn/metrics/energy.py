"""Estimate the energy of an inference from its operations.

The estimate counts arithmetic only. Memory, routing and leakage, which dominate on many machines, are left
out; it compares networks, it does not predict a chip.
"""

from __future__ import annotations

from dataclasses import dataclass

# Joules for one 32-bit floating-point operation in a 45 nm process at 0.9 V: an addition, and a multiplication
# (3.7 pJ) with an addition. Source: Horowitz 2014, doi:10.1109/ISSCC.2014.6757323, figure 1.1.9.
ADDITION = 0.9e-12
MULTIPLY_ACCUMULATE = 4.6e-12
SOURCE = "Horowitz 2014, doi:10.1109/ISSCC.2014.6757323: 45 nm, 0.9 pJ an addition, 4.6 pJ a multiply-accumulate"

# Below so many spikes per neuron and inference a spiking network can beat the same network on an ANN
# accelerator. Source: Davidson & Furber 2021, doi:10.3389/fnins.2021.651141.
BREAK_EVEN_SPIKES = 1.72


@dataclass(frozen=True)
class Energy:
    """Arithmetic energy of one inference.

    Attributes:
        snn: additions of synaptic operations, and multiply-accumulates of a direct input, in joules.
        ann: multiply-accumulates of the source model, in joules.
        source: of the constants.
    """

    snn: float
    ann: float
    source: str = SOURCE


def estimate(synaptic_operations: float, direct_macs: float, ann_macs: float) -> Energy:
    """Return the energy of one inference.

    Args:
        synaptic_operations: additions, one for each spike and synapse it crosses.
        direct_macs: multiply-accumulates of the first layer under a direct encoder, for a whole sample.
        ann_macs: multiply-accumulates of the source model.
    """
    snn = synaptic_operations * ADDITION + direct_macs * MULTIPLY_ACCUMULATE
    return Energy(snn, ann_macs * MULTIPLY_ACCUMULATE)
