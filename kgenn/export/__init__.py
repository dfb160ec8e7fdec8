"""Exporters: a network in the format of another tool, for those who go on there."""

from __future__ import annotations

from kgenn.export.base import Exporter
from kgenn.registry import Registry

EXPORTERS: Registry[type[Exporter]] = Registry(
    kind="format",
    group="kgenn.exporters",
    base="kgenn.export.base:Exporter",
    table={
        "c": "kgenn.export.c:CSources",
        "cpp": "kgenn.export.cpp:CppSources",
        "ml-genn": "kgenn.export.ml_genn:MlGenn",
        "nir": "kgenn.export.nir:Nir",
    },
)

__all__ = ["EXPORTERS", "Exporter"]
