"""Write what no neuron computes as what neurons do: squares, straight pieces, and maxima of shifted values.

What to write is known of the lowered graph alone; how wide a piece is and how far a shift goes follow the values
of the calibration set. So a check, which has none, sees the same structure as a conversion.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kgenn.conversion.activations import values_of
from kgenn.ir.graph import Array, Graph
from kgenn.ir.samples import Samples
from kgenn.passes.offsets import PooledInputs, shift_signed, signed_pools
from kgenn.passes.pieces import check_divisors, curves, in_pieces
from kgenn.passes.products import factors, squared
from kgenn.passes.standardise import bounded, squared_lengths
from kgenn.passes.values import NodeValues, assumed

# Samples whose values are looked at, and values of a node that are kept, at most.
MAX_SAMPLES = 512
MAX_VALUES = 200_000


def rewritten(graph: Graph, pieces: int, pooled_inputs: PooledInputs, calibration: Samples | None = None) -> Graph:
    """Return a lowered graph with everything inside it written as ReLUs, maxima and linear layers.

    Args:
        pieces: of one activation.
        pooled_inputs: where neurons can pool each input itself.
        calibration: samples; without them only the structure is right.

    Raises:
        KgennError: KG402 where a value is not finite, or one that is divided by has both signs.
    """
    graph = bounded(graph, _values(graph, squared_lengths(graph), calibration))
    graph = squared(graph, _values(graph, factors(graph), calibration))
    curved = [graph.by_name[name].inputs[0] for name in curves(graph)]
    names = frozenset((*curved, *signed_pools(graph, pooled_inputs)))
    values = _values(graph, names, calibration)
    if calibration is not None:
        check_divisors(graph, values)
    return shift_signed(in_pieces(graph, values, pieces), values, pooled_inputs)


def _values(graph: Graph, names: frozenset[str], calibration: Samples | None) -> Mapping[str, NodeValues]:
    """Return the values of some nodes on the calibration set, or such as there could be."""
    if not names:
        return {}
    if calibration is None:
        return dict.fromkeys(names, assumed())
    return measured(graph, names, calibration[:MAX_SAMPLES])


def measured(graph: Graph, names: frozenset[str], samples: Samples) -> dict[str, NodeValues]:
    """Return the values of some nodes on samples."""
    lows: dict[str, Array] = {}
    highs: dict[str, Array] = {}
    some: dict[str, list[Array]] = {name: [] for name in names}
    for name, value in values_of(graph, names, samples):
        rows = value.reshape(-1, value.shape[-1]).astype(np.float64)
        low, high = rows.min(axis=0), rows.max(axis=0)
        lows[name] = np.minimum(lows.get(name, low), low)
        highs[name] = np.maximum(highs.get(name, high), high)
        share = MAX_VALUES * len(value) / len(samples)
        some[name].append(rows[:: max(1, int(rows.size / share))])
    return {name: NodeValues(lows[name], highs[name], np.concatenate(some[name])) for name in names}
