"""Conversion: a lowered graph becomes a spiking network."""

from __future__ import annotations

from kgenn.conversion.base import Converter
from kgenn.registry import Registry

CONVERTERS: Registry[type[Converter]] = Registry(
    kind="converter",
    group="kgenn.converters",
    base="kgenn.conversion.base:Converter",
    table={
        "burst": "kgenn.conversion.burst:Burst",
        "calibrated": "kgenn.conversion.calibrated:Calibrated",
        "data-norm": "kgenn.conversion.data_norm:DataNorm",
        "few-spike": "kgenn.conversion.few_spike:FewSpike",
        "fission": "kgenn.conversion.fission:Fission",
        "none": "kgenn.conversion.unscaled:Unscaled",
        "spike-norm": "kgenn.conversion.spike_norm:SpikeNorm",
        "threshold-relu": "kgenn.conversion.threshold_relu:ThresholdReLU",
        "ttfs": "kgenn.conversion.time_to_first_spike:TimeToFirstSpike",
    },
)

__all__ = ["CONVERTERS", "Converter"]
