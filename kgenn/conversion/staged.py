"""What the methods share that send each activation as one number of a fixed number of levels, in a stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from kgenn.citations import Citation
from kgenn.conversion.activations import percentiles
from kgenn.conversion.base import Calibration, Converter, Settings
from kgenn.conversion.channel_units import channel_units
from kgenn.conversion.correction import CITATIONS as CORRECTION
from kgenn.conversion.correction import corrected
from kgenn.conversion.few_samples import sample_warnings, trusted
from kgenn.conversion.quantisation import least_squares_scales, quantised
from kgenn.conversion.scales import SCALE_FACTOR, active_scales, capped
from kgenn.diagnostics import fail
from kgenn.ir.graph import Array

Rule = Literal["least-squares", "percentile", "maximum"]
# Of the rule of that name, where the user gives none.
PERCENTILE = 99.9
# What of a layer's activations a rule asks for, in words.
STATISTICS: Mapping[Rule, str] = {
    "least-squares": "maximum",
    "percentile": "percentile",
    "maximum": "maximum",
}


@dataclass(frozen=True)
class Staged(Converter):
    """Let λ be what the largest number of a stage stands for.

    Attributes:
        scale_rule: λ by the least squared error of the numbers, or a percentile or the maximum of activations.
        percentile: of the rule `percentile`, in (0, 100]; 99.9 if not given. The other rules take none.
        scale_factor: multiplies λ, and so the threshold u_th of time-to-first-spike; 1 is what the rule gives.
        channelwise: one λ for each channel.
        rounding: numbers are rounded to the nearest; else down.
        correction: biases are shifted by the mean error on the calibration set, layer by layer.
    """

    scale_rule: Rule = field(default="least-squares", metadata={"help": "rule for the largest value of a layer"})
    percentile: float | None = field(
        default=None, metadata={"help": "percentile of the activations, above 0, up to 100 (the maximum)"}
    )
    scale_factor: float = field(default=1.0, metadata={"help": SCALE_FACTOR})
    channelwise: bool = field(default=True, metadata={"help": "one scale for each channel"})
    rounding: bool = field(default=True, metadata={"help": "round activations to the nearest level, not down"})
    correction: bool = field(default=True, metadata={"help": "shift biases by the mean error of each layer"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.percentile is not None and self.scale_rule != "percentile":
            advice = "pass --scale-rule percentile"
            raise fail("KG401", self.name, f"the rule {self.scale_rule} takes no percentile", advice)
        if self.percentile is not None and not 0 < self.percentile <= 100:
            raise fail("KG401", self.name, f"percentile is {self.percentile}; it lies in (0, 100]")

        if not 0 < self.scale_factor < np.inf:
            raise fail("KG401", self.name, f"scale_factor is {self.scale_factor}; it is above 0")

    @property
    def cited(self) -> tuple[Citation, ...]:
        return (*self.citations, *(CORRECTION if self.correction else ()))

    def settings(self, calibration: Calibration) -> Settings:
        graph, levels = calibration.graph, self.levels(calibration.num_timesteps)
        units = channel_units(graph, calibration.samples, calibration.memoise)
        found = active_scales(graph, self.statistics(calibration), units, STATISTICS[self.scale_rule])
        found = trusted(found, units, len(calibration.samples))
        scales = capped(graph, {name: scale * self.scale_factor for name, scale in found.items()})
        warnings = sample_warnings(calibration.samples, self.channelwise, self.correction)
        if not self.correction:
            return Settings(scales, warnings=warnings)

        def quantise(name: str, z: Array) -> Array:
            return quantised(z, scales[name], levels, self.rounding)

        return replace(corrected(scales, graph, calibration.samples, quantise), warnings=warnings)

    def statistics(self, calibration: Calibration) -> Mapping[str, Array]:
        """Return λ of each ReLU by the rule; 0 where it was silent."""
        graph, samples, memoise = calibration.graph, calibration.samples, calibration.memoise
        if self.scale_rule == "least-squares":
            levels = self.levels(calibration.num_timesteps)
            return least_squares_scales(graph, samples, levels, self.rounding, self.channelwise, memoise)
        percentile = 100.0 if self.scale_rule == "maximum" else self.percentile or PERCENTILE
        return percentiles(graph, samples, percentile, self.channelwise, memoise)

    def half(self, unit: int) -> float:
        """Return what is added to v before it is read: half a unit to round, nothing to truncate."""
        return float(np.floor(unit / 2)) if self.rounding else 0.0
