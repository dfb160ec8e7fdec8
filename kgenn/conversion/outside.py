"""Check what the converter of another package chooses: its author's mistakes are diagnostics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from kgenn.conversion.base import Calibration, Converter, Settings
from kgenn.diagnostics import fail
from kgenn.ir.graph import Graph
from kgenn.layers.activation import ReLU
from kgenn.registry import REPAIR, code_of_others


def settings_of(converter: Converter, calibration: Calibration) -> Settings:
    """Return what a converter chooses.

    Raises:
        KgennError: the converter's own; KG420 where it is another package's and fails, or chooses what is none.
    """
    if type(converter).__module__.partition(".")[0] == "kgenn":
        return converter.settings(calibration)
    where = f"converter {converter.name}"
    with code_of_others(where, "cannot choose scales"):
        settings = converter.settings(calibration)
    for problem in _problems(settings, calibration.graph):
        raise fail("KG420", where, problem, REPAIR)
    return settings


def _problems(settings: Any, graph: Graph) -> Iterator[str]:
    """Yield why settings are none for a lowered graph."""
    if not isinstance(settings, Settings) or not isinstance(settings.scales, Mapping):
        yield f"gives settings of type {type(settings).__name__}, not kgenn.conversion.base.Settings"
        return
    for node in graph.nodes:
        if not isinstance(node.layer, ReLU):
            continue
        if node.name not in settings.scales:
            yield f"gives no scale for {node.name}"
            continue
        scale, channels = np.asarray(settings.scales[node.name]), graph.shapes[node.name][-1]
        if scale.shape not in ((), (channels,)):
            yield f"gives {node.name} scales of shape {scale.shape}; () or ({channels},) are taken"
        elif scale.dtype.kind != "f" or not (np.isfinite(scale) & (scale > 0)).all():
            yield f"gives {node.name} scales that are not positive and finite"
