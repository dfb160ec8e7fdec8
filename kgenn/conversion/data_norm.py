"""Data-based normalisation: the scale of a layer is its largest activation on the calibration set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from kgenn.citations import Citation
from kgenn.conversion.activations import percentiles
from kgenn.conversion.base import Calibration, Memoise, Settings, uncached
from kgenn.conversion.channel_units import channel_units
from kgenn.conversion.few_samples import sample_warnings, trusted
from kgenn.conversion.paths import weights_into
from kgenn.conversion.rate_coded import RateCoded, SingleSpikes
from kgenn.conversion.scales import active_scales, capped
from kgenn.diagnostics import fail
from kgenn.ir.graph import Array, Graph
from kgenn.ir.samples import Samples

CHANNELWISE: tuple[Citation, ...] = ("kim2020",)


@dataclass(frozen=True)
class PercentileScaled(RateCoded):
    """What the methods share whose λ is a percentile of the layer's activation over the calibration set.

    Attributes:
        percentile: in (0, 100]; 100 is the maximum.
        channelwise: one λ for each channel, and not for the layer. Source: Kim et al. 2020,
            doi:10.1609/aaai.v34i07.6787.
    """

    depends_on_timesteps: ClassVar[bool] = False

    percentile: float = field(
        default=99.9, metadata={"help": "percentile of the activations, above 0, up to 100 (the maximum)"}
    )
    channelwise: bool = field(default=True, metadata={"help": "one scale for each channel"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.percentile <= 100:
            raise fail("KG401", self.name, f"percentile is {self.percentile}; it lies in (0, 100]")

    @property
    def cited(self) -> tuple[Citation, ...]:
        return (*self.citations, *(CHANNELWISE if self.channelwise else ()))

    def settings(self, calibration: Calibration) -> Settings:
        scales = self.scales(calibration.graph, calibration.samples, calibration.memoise)
        return Settings(scales, warnings=sample_warnings(calibration.samples, self.channelwise, correction=False))

    def scales(self, graph: Graph, samples: Samples, memoise: Memoise = uncached) -> Mapping[str, Array]:
        """Return λ of each ReLU, on the calibration set."""
        found = percentiles(graph, samples, self.percentile, self.channelwise, memoise)
        units = channel_units(graph, samples, memoise)
        active = active_scales(graph, found, units, f"percentile {self.percentile:g}")
        return trusted(active, units, len(samples))


@dataclass(frozen=True)
class DataNorm(PercentileScaled, SingleSpikes):
    """Let λ be a percentile of the layer's activation over the calibration set, on any acyclic graph.

    A ReLU with a cap keeps it: λ is at most the cap, and a neuron cannot fire more than once in a step.

    Attributes:
        include_weights: λ is at least the largest weight into the layer, as in Diehl et al. and mlGeNN.

    Source: Diehl et al. 2015, doi:10.1109/IJCNN.2015.7280696; percentile and biases: Rueckauer et al. 2017,
    doi:10.3389/fnins.2017.00682.
    """

    name: ClassVar[str] = "data-norm"
    citations: ClassVar[tuple[Citation, ...]] = ("diehl2015", "rueckauer2017")

    include_weights: bool = field(default=False, metadata={"help": "raise scales to at least the largest weight"})

    def scales(self, graph: Graph, samples: Samples, memoise: Memoise = uncached) -> Mapping[str, Array]:
        scales = dict(super().scales(graph, samples, memoise))
        if self.include_weights:
            for name, scale in scales.items():
                kernels = weights_into(graph, graph.by_name[name].inputs[0]).values()
                scales[name] = np.maximum(scale, max((float(k.max()) for k in kernels), default=0.0))
        return capped(graph, scales)
