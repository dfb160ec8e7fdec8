"""Data-based normalisation: the scale of a layer is its largest activation on the calibration set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from kgenn.conversion.activations import percentiles
from kgenn.conversion.base import Converter
from kgenn.conversion.neurons import INTEGRATE_FIRE, INTEGRATE_FIRE_TO_ZERO
from kgenn.conversion.paths import weights_into
from kgenn.diagnostics import Diagnostic, KgennError, fail
from kgenn.ir.graph import Array, Graph
from kgenn.ir.neuron_code import NeuronModel


@dataclass(frozen=True)
class RateCoded(Converter):
    """What the rate-coded methods share: integrate-and-fire neurons and their two options.

    Attributes:
        reset: by subtraction of the threshold, or to zero.
        initial_potential: v at the start of a sample, in thresholds, in [0, 1); 1/2 makes the rate round
            instead of truncate.
    """

    represents: ClassVar[frozenset[str]] = frozenset({"bias", "batch-norm", "relu-cap", "zero-padding"})

    reset: Literal["subtract", "zero"] = field(default="subtract", metadata={"help": "what a spike does to v"})
    initial_potential: float = field(default=0.5, metadata={"help": "v at the start, in thresholds, 0 to 1"})

    def __post_init__(self) -> None:
        if self.reset not in ("subtract", "zero"):
            raise fail("KG401", self.name, f"reset is {self.reset!r}; known: subtract, zero")
        if not 0 <= self.initial_potential < 1:
            raise fail("KG401", self.name, f"initial_potential is {self.initial_potential}; it lies in [0, 1)")

    @property
    def neuron(self) -> NeuronModel:
        return INTEGRATE_FIRE if self.reset == "subtract" else INTEGRATE_FIRE_TO_ZERO

    @property
    def initial_v(self) -> float:
        return self.initial_potential


@dataclass(frozen=True)
class DataNorm(RateCoded):
    """Let λ be a percentile of the layer's activation over the calibration set, on any acyclic graph.

    A ReLU with a cap keeps it: λ is at most the cap, and a neuron cannot fire more than once in a step.

    Attributes:
        percentile: in (0, 100]; 100 is the maximum of Diehl et al.
        channelwise: one λ for each channel.
        include_weights: λ is at least the largest weight into the layer, as in Diehl et al. and mlGeNN.

    Source: Diehl et al. 2015, doi:10.1109/IJCNN.2015.7280696; percentile and biases: Rueckauer et al. 2017,
    doi:10.3389/fnins.2017.00682.
    """

    name: ClassVar[str] = "data-norm"
    citation: ClassVar[str] = "Diehl et al. 2015, doi:10.1109/IJCNN.2015.7280696"

    percentile: float = field(default=99.9, metadata={"help": "of the activations, over 0 to 100 (the maximum)"})
    channelwise: bool = field(default=False, metadata={"help": "one scale for each channel"})
    include_weights: bool = field(default=False, metadata={"help": "scales are at least the largest weight"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.percentile <= 100:
            raise fail("KG401", self.name, f"percentile is {self.percentile}; it lies in (0, 100]")

    def scales(self, graph: Graph, calibration: Array) -> Mapping[str, Array]:
        found = percentiles(graph, calibration, self.percentile, self.channelwise)
        silent = [name for name, scale in found.items() if not scale.any()]
        if silent:
            raise KgennError(self.silence(graph.by_name[name].origin or name) for name in silent)
        # a channel that never fired gets the layer's scale
        scales = {name: np.where(scale > 0, scale, scale.max()) for name, scale in found.items()}
        if self.include_weights:
            for name, scale in scales.items():
                kernels = weights_into(graph, graph.by_name[name].inputs[0]).values()
                scales[name] = np.maximum(scale, max((float(k.max()) for k in kernels), default=0.0))
        return scales

    def silence(self, where: str) -> Diagnostic:
        """Return the diagnostic of a layer whose scale would be zero."""
        what = f"its activation's percentile {self.percentile:g} is zero on the calibration set"
        return Diagnostic("KG403", where, what, "give more calibration data, or a higher --percentile")
