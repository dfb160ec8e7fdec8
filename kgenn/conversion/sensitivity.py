"""How much the outputs of a graph change when the values of one of its layers are rounded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from math import prod

import numpy as np

from kgenn.conversion.base import Memoise, uncached
from kgenn.conversion.quantisation import least_squares_scales, quantised
from kgenn.conversion.twins import batches
from kgenn.ir.graph import Array, Graph
from kgenn.ir.samples import Samples
from kgenn.layers.activation import ReLU

# Values are rounded to so many levels, as a few binary neurons say them in a few steps.
LEVELS = 8
# Samples that a layer is rounded on, at least and at most; between them, so many computations in all.
FEWEST, MOST, MAX_COMPUTED = 8, 64, 1024
# Bytes that the values of the samples may take that are computed together.
MAX_BYTES = 1 << 28
# Outputs that deviate by no more than this share of their squares are equal but for the rounding of float32.
EQUAL = 1e-12


def sensitivities(graph: Graph, samples: Samples, memoise: Memoise = uncached) -> Mapping[str, float]:
    """Return for each ReLU the error of the outputs if its values alone are rounded to `LEVELS` levels.

    The error of an output is its mean squared change, in the variance of its values; those of several outputs
    are added up.

    Args:
        graph: lowered.
        memoise: keeps them.
    """
    found: Mapping[str, float] = memoise("sensitivities", lambda: _measured(graph, samples, memoise))
    return found


def _measured(graph: Graph, samples: Samples, memoise: Memoise) -> Mapping[str, float]:
    relus = [node.name for node in graph.nodes if isinstance(node.layer, ReLU)]
    found = least_squares_scales(graph, samples, LEVELS, True, True, memoise)
    scales = {name: np.where(scale > 0, scale, 1.0) for name, scale in found.items()}
    some = samples[: min(max(MAX_COMPUTED // max(len(relus), 1), FEWEST), MOST)].single()
    values_each = sum(prod(shape) for shape in graph.shapes.values())
    size = max(1, MAX_BYTES // (2 * 4 * values_each))
    error: defaultdict[tuple[str, str], float] = defaultdict(float)
    ends: dict[str, list[Array]] = {name: [] for name in graph.ends}
    for part in batches(len(some), size):
        values = dict(graph.forward(some[part]))
        for name, parts in ends.items():
            parts.append(values[name])
        for relu in relus:
            rounded = quantised(values[relu], scales[relu], LEVELS, rounding=True).astype(np.float32)
            for name, value in _changed(graph, values, relu, rounded).items():
                error[relu, name] += float(np.square(value - values[name], dtype=np.float64).sum())
    spread = {name: _spread(np.concatenate(parts)) for name, parts in ends.items()}
    return {relu: sum(error[relu, name] / spread[name] for name in ends) for relu in relus}


def _spread(values: Array) -> float:
    """Return the sum of the squared deviations from what each value is in the mean over the samples.

    Where the samples have one output all, of a single sample for one, that of the values takes its place, and 1
    where they are zero: of several outputs, one that is constant counts no more than the others.
    """
    squares = float(np.square(values, dtype=np.float64).sum())
    deviation = float(np.square(values - values.mean(axis=0, dtype=np.float64)).sum())
    return deviation if deviation > EQUAL * squares else squares or 1.0


def _changed(graph: Graph, values: Mapping[str, Array], name: str, value: Array) -> dict[str, Array]:
    """Return the outputs that change with the value of a node, as they are then."""
    new = {name: value}
    for node in graph.nodes:
        if not new.keys().isdisjoint(node.inputs):
            new[node.name] = node.layer.forward(*(new.get(source, values[source]) for source in node.inputs))
    return {end: new[end] for end in graph.ends if end in new}
