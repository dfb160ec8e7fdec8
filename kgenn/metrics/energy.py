"""Estimate the energy of an inference from its operations, under three sets of assumptions.

The first is what the field reports: an addition or a multiply-accumulate of 32-bit floating-point numbers. The
second counts integers of the widths that are there, and the updates of neurons. The third adds what it takes to
fetch weights and to read and write sums and state. None has routing, control or leakage; all compare networks, and
predict no chip.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import sqrt

from kgenn.metrics.operations import NeuronUpdates, Operations, SynapticOperations

# Joules in a 45 nm process at 0.9 V. Source: Horowitz 2014, doi:10.1109/ISSCC.2014.6757323, figure 1.1.9.
ADDITION = 0.9e-12  # of 32-bit floats
MULTIPLY_ACCUMULATE = 4.6e-12  # a multiplication of 32-bit floats, 3.7 pJ, and an addition
ADDED_BIT = 0.03e-12 / 8  # an 8-bit integer addition; 32 bits take 0.1 pJ, 20 % less than 32 times this
MULTIPLIED_BITS = (
    0.2e-12 / 64
)  # an 8-bit integer multiplication; 32 bits take 3.1 pJ, 3 % less than 1024 times this
# 64 bits take 10 pJ from 8 KiB, 20 pJ from 32 KiB, 100 pJ from 1 MiB: close to the root of the size in between.
FETCHED_BIT = 10e-12 / 64
SMALLEST_BYTES, LARGEST_BYTES = 1 << 13, 1 << 20
SOURCE = "Horowitz 2014, doi:10.1109/ISSCC.2014.6757323 (45 nm)"

# Below so many unit spikes per neuron and inference a spiking network can beat the same network on an ANN
# accelerator. Source: Davidson & Furber 2021, doi:10.3389/fnins.2021.651141.
BREAK_EVEN_SPIKES = 1.72


@dataclass(frozen=True)
class Energy:
    """Energy of one inference, in joules.

    Attributes:
        float32: of synaptic operations on 32-bit floats: 0.9 pJ an addition, 4.6 pJ a multiply-accumulate.
        integer: of synaptic operations and neuron updates on integers of their widths.
        memory: that, and the traffic of weights, sums and state.
    """

    float32: float
    integer: float
    memory: float


@dataclass(frozen=True)
class Energies:
    """The energy of a network, of its quantised twin, and of its model.

    Attributes:
        snn: of the spiking network.
        ann: of the source model's multiply-accumulates on 32-bit floats, in joules.
        twin: of the twin, where it was computed; see `kgenn.metrics.twin`.
        source: of the constants.
    """

    snn: Energy
    ann: float
    twin: Energy | None = None
    source: str = SOURCE

    def to_dict(self) -> dict[str, object]:
        """Return the figures as JSON-able data."""
        plain: dict[str, object] = {
            "snn_joules": self.snn.float32,
            "ann_joules": self.ann,
            "snn": asdict(self.snn),
            "source": self.source,
        }
        return plain if self.twin is None else {**plain, "twin": asdict(self.twin)}


def energy_of(operations: Operations) -> Energy:
    """Return the energy of the operations of one inference."""
    adders = operations.additions * ADDITION + operations.multiplications * MULTIPLY_ACCUMULATE
    integer = sum(map(_arithmetic, operations.synaptic)) + sum(map(_updating, operations.updates))
    traffic = sum(map(_synaptic_traffic, operations.synaptic)) + sum(map(_state_traffic, operations.updates))
    return Energy(adders, integer, integer + traffic)


def energy_of_macs(macs: float) -> float:
    """Return the energy of multiply-accumulates of 32-bit floats, in joules."""
    return macs * MULTIPLY_ACCUMULATE


def fetched(bits: float, memory_bytes: float) -> float:
    """Return the energy of reading or writing some bits of an array in a memory that holds just it."""
    size = min(max(memory_bytes, SMALLEST_BYTES), LARGEST_BYTES)
    return bits * FETCHED_BIT * sqrt(size / SMALLEST_BYTES)


def _arithmetic(s: SynapticOperations) -> float:
    product = s.value_bits * s.weight_bits * MULTIPLIED_BITS if s.multiplies else 0.0
    return s.count * (product + s.accumulator_bits * ADDED_BIT)


def _updating(u: NeuronUpdates) -> float:
    """Return the energy of an addition to each variable, and of a comparison with the threshold."""
    return u.count * (u.num_variables + 1) * u.variable_bits * ADDED_BIT


def _synaptic_traffic(s: SynapticOperations) -> float:
    """Return the energy of fetching a weight, and of reading and writing a sum, at each operation."""
    weight = fetched(s.weight_bits, s.num_weights * s.weight_bits / 8)
    total = fetched(2 * s.accumulator_bits, s.num_targets * s.accumulator_bits / 8)
    return s.count * (weight + total)


def _state_traffic(u: NeuronUpdates) -> float:
    """Return the energy of reading and writing a neuron's variables, and of reading its sum, at each update."""
    bits = (2 * u.num_variables + 1) * u.variable_bits
    return u.count * fetched(bits, u.num_neurons * u.num_variables * u.variable_bits / 8)
