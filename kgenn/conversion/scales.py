"""Turn statistics of activations into scales: what all methods that calibrate on activations share."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kgenn.conversion.activations import known_scale
from kgenn.conversion.channel_units import of_layer, units_for
from kgenn.diagnostics import Diagnostic, KgennError
from kgenn.ir.graph import Array, Graph, Node
from kgenn.layers.activation import ReLU
from kgenn.passes.concatenation import whole_of

SCALE_FACTOR = "factor for the scales that the rule gives"


def active_scales(
    graph: Graph, found: Mapping[str, Array], units: Mapping[str, Array], what: str
) -> dict[str, Array]:
    """Return scales with the layer's own in place of channels that never fired.

    A ReLU of the model may be several here, one for each part of a concatenation, and a part may be silent.

    Args:
        found: for each ReLU a non-negative array of shape () or (channels,).
        units: of the channels of those with a scale for each, see `kgenn.conversion.channel_units`.
        what: the statistic, for messages.

    Raises:
        KgennError: KG403 for each layer that was silent on the whole calibration set.
    """
    own = {name: units_for(units, name, scale) for name, scale in found.items()}
    parts: dict[str, list[str]] = {}
    for name in found:
        parts.setdefault(whole_of(graph, name), []).append(name)
    by_layer = {name: of_layer((found[n], own[n]) for n in group) for group in parts.values() for name in group}
    silent = [graph.by_name[name].origin or name for name in found if by_layer[name] == 0]
    if silent:
        percentile = ", or a higher percentile" if what.startswith("percentile") else ""
        advice = f"give more calibration data{percentile}; remove a layer that is zero on all data"
        what = f"its activation's {what} is zero on the calibration set"
        raise KgennError(Diagnostic("KG403", where, what, advice) for where in dict.fromkeys(silent))
    return {name: np.where(scale > 0, scale, own[name] * by_layer[name]) for name, scale in found.items()}


def cap_of(node: Node) -> float | None:
    """Return the cap of a ReLU, or None."""
    return node.layer.max_value if isinstance(node.layer, ReLU) else None


def capped(graph: Graph, scales: Mapping[str, Array]) -> dict[str, Array]:
    """Return scales that are at most the cap of their ReLU, so that a full spike train stands for no more.

    What asks for no data has its own scale again, whatever was done to those of the others.
    """
    result = {}
    for name, scale in scales.items():
        node = graph.by_name[name]
        cap, known = cap_of(node), known_scale(node)
        bounded = scale if cap is None else np.minimum(scale, cap)
        result[name] = bounded if known is None else np.full_like(scale, known)
    return result
