"""Conversion: a lowered graph becomes a spiking network."""

from __future__ import annotations

from kgenn.conversion.base import Converter
from kgenn.registry import Registry

CONVERTERS: Registry[type[Converter]] = Registry(
    kind="converter",
    group="kgenn.converters",
    table={
        "data-norm": "kgenn.conversion.data_norm:DataNorm",
        "none": "kgenn.conversion.unscaled:Unscaled",
    },
)

__all__ = ["CONVERTERS", "Converter"]
