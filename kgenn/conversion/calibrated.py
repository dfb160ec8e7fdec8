"""Calibrated conversion: graded spikes that correct what a neuron has sent, so that few steps are enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from kgenn.citations import Citation
from kgenn.conversion.base import Calibration, Converter, Dynamics, Settings
from kgenn.conversion.channel_units import channel_units
from kgenn.conversion.correction import CITATIONS as CORRECTION
from kgenn.conversion.correction import corrected
from kgenn.conversion.few_samples import sample_warnings, trusted
from kgenn.conversion.group_fit import MAX_FITTED, MAX_SAMPLES, GradedGroup, fit, group_of
from kgenn.conversion.neurons import differential
from kgenn.conversion.quantisation import least_squares_scales, quantised
from kgenn.conversion.scales import active_scales, cap_of, capped
from kgenn.conversion.spike_trains import KEPT, fitted
from kgenn.conversion.twins import affordable, some_of
from kgenn.diagnostics import fail
from kgenn.ir.graph import Array, Node
from kgenn.ir.network import ReadoutKind
from kgenn.ir.spike_code import CodeName

# A spike of the largest member is stored in 8 bits.
MAX_MEMBERS = 7
# More quanta than a group of neurons can send in a thousand steps.
MAX_QUANTA = 1 << 16
# A potential that no neuron reaches is this many λ, and at least 2**BITS. What v integrates on a single grid is
# exact below 2**24, and beyond rounds alike everywhere.
UNLIMITED = 32
BITS = 30


@dataclass(frozen=True)
class Calibrated(Converter):
    """Send signed corrections of 1, 2, 4 … 2^(n − 1) quanta by a group of n neurons; the sum is the activation.

    With δ = λ/L, v the pre-activation so far and o the sum that the group has sent, each step integrates the
    incoming corrections and sends the one nearest to max(v, 0)/δ − o; below half a quantum the group is silent.
    Later inputs are corrections too, so the errors of early steps do not persist: after a few steps the sums are
    the activations, rounded to quanta, at any depth. λ minimises the squared error of L quanta. For up to 4 steps,
    λ, a shift of the bias and the weights are fitted layer by layer to what is sent in as many; see
    `kgenn.conversion.group_fit` and `kgenn.conversion.refit`.

    A spike of any size counts once: it comes from one member of the group, whose synapses are as much stronger.

    Attributes:
        quanta: L, the quanta in λ.
        members: n, the neurons of a group, 1 to 7.
        channelwise: one λ for each channel.
        correction: with more than 4 steps too, biases are shifted by the mean error on the calibration set, layer
            by layer.
        refit: with at most 4 steps, fit the weights of each layer to the spikes that come.

    Source: differential coding, Huang et al. 2025, arXiv:2503.00301; groups of neurons, Lv et al. 2024 (ICASSP).
    """

    name: ClassVar[str] = "calibrated"
    citations: ClassVar[tuple[Citation, ...]] = ("huang2025", "lv2024")
    code: ClassVar[CodeName] = "differential"
    graded: ClassVar[bool] = True
    readouts: ClassVar[tuple[ReadoutKind, ...]] = ("current",)
    default_timesteps: ClassVar[int] = 8

    quanta: int = field(default=127, metadata={"help": "levels of a layer's scale that spikes can express"})
    members: int = field(default=7, metadata={"help": "number of spike sizes 1, 2, 4 …, from 1 to 7"})
    channelwise: bool = field(default=True, metadata={"help": "one scale for each channel"})
    correction: bool = field(
        default=False,
        metadata={"help": "shift biases by the mean error of each layer, with more than 4 steps too"},
    )
    refit: bool = field(
        default=True,
        metadata={"help": "fit the weights of a layer to the spikes that come, with at most 4 steps"},
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.quanta <= MAX_QUANTA:
            raise fail("KG401", self.name, f"quanta is {self.quanta}; it lies in 1 to {MAX_QUANTA:,}")
        if not 1 <= self.members <= MAX_MEMBERS:
            raise fail("KG401", self.name, f"members is {self.members}; it lies in 1 to {MAX_MEMBERS}")

    @property
    def cited(self) -> tuple[Citation, ...]:
        return (*self.citations, *(CORRECTION if self.correction else ()))

    def levels(self, num_timesteps: int) -> int:
        return self.quanta

    def spike_range(self, num_timesteps: int) -> tuple[int, int]:
        largest = 2 ** (self.members - 1)
        return -largest, largest

    def settings(self, calibration: Calibration) -> Settings:
        graph, samples = calibration.graph, calibration.samples
        found = least_squares_scales(
            graph, samples, self.quanta, True, self.channelwise, calibration.memoise, clipped=False
        )
        units = channel_units(graph, samples, calibration.memoise)
        active = active_scales(graph, found, units, "maximum")
        scales = capped(graph, trusted(active, units, len(samples), clipped=False))
        few = calibration.num_timesteps <= MAX_FITTED
        warnings = sample_warnings(samples, self.channelwise, self.correction or few)
        if few:
            return replace(self.fitted(calibration, scales), warnings=warnings)
        if not self.correction:
            return Settings(scales, warnings=warnings)

        def quantise(name: str, z: Array) -> Array:
            # nothing is clipped but what has a cap
            limit = self.quanta if cap_of(graph.by_name[name]) else np.inf
            return quantised(z, scales[name], self.quanta, True, limit)

        return replace(corrected(scales, graph, samples, quantise), warnings=warnings)

    def fitted(self, calibration: Calibration, scales: Mapping[str, Array]) -> Settings:
        """Return settings for few steps, fitted layer by layer from these scales."""
        graph, steps = calibration.graph, calibration.num_timesteps
        limit = min(MAX_SAMPLES, affordable(graph, KEPT + steps))
        kept, notes = some_of(calibration.samples, limit, "groups are fitted")

        def choose(node: Node, currents: Array, values: Array) -> GradedGroup:
            first = group_of(node, scales[node.name], values.shape[-1], self.quanta, self.members)
            return fit(node, currents, values, steps, first, self.channelwise)

        found = fitted(graph, kept, steps, choose, weights=self.refit, differential=True)
        groups = found.neurons.items()
        shifts = {**found.shifts, **{name: group.shift for name, group in groups}}
        scales = {name: group.scale for name, group in groups}
        return Settings(scales, shifts, layers=found.layers, notes=notes)

    def dynamics(self, node: Node, unit: int, num_timesteps: int) -> Dynamics:
        # λ is at most the cap; without one nothing is clipped
        capped_at = cap_of(node)
        beyond = max(BITS, (UNLIMITED * unit * self.quanta).bit_length())
        v_most = float(unit * self.quanta if capped_at else 1 << beyond)
        params = {"v_thresh": float(unit), "v_most": v_most}
        return Dynamics(differential(self.members), params, largest_rate=1.0 if capped_at else None)
