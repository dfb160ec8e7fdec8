"""Backends: a network becomes a program, and the program runs."""

from __future__ import annotations

from kgenn.backends.base import Backend, Program, RunOptions, Simulator
from kgenn.registry import Registry

TARGETS: Registry[type[Backend]] = Registry(
    kind="target",
    group="kgenn.targets",
    base="kgenn.backends.base:Backend",
    table={
        "cpu": "kgenn.backends.cpp:Cpp",
        "cuda": "kgenn.backends.cuda:Cuda",
        "genn-cpu": "kgenn.backends.genn:GennCpu",
        "genn-cuda": "kgenn.backends.genn:GennCuda",
        "reference": "kgenn.backends.reference:Reference",
    },
    code="KG503",
)

__all__ = ["TARGETS", "Backend", "Program", "RunOptions", "Simulator"]
