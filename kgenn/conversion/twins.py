"""Compute a lowered graph twice at once: as the model is, and as a network that sends spikes.

All samples are computed node by node, so that what a node's neurons do can be fitted to what really comes from the
nodes before it. An array is dropped after its last use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from kgenn.ir.graph import Array, Graph, Node
from kgenn.ir.samples import Samples

# Samples that are kept at every layer: more of them change what is fitted by little.
MAX_SAMPLES = 1024
# Bytes that they may take: of a large model fewer are kept, but MIN_SAMPLES whatever they take.
MAX_BYTES = 1 << 31
MIN_SAMPLES = 16


@dataclass(frozen=True, eq=False)
class PairedValues:
    """A node's value in the model, shape (N, ...), and in the network, shape (N, ...) or (steps, N, ...)."""

    model: Array
    network: Array


def walked(
    graph: Graph, compute: Callable[[Node, list[PairedValues]], PairedValues]
) -> Iterator[tuple[Node, PairedValues]]:
    """Yield each node with its values, which `compute` gives for the node and the values of its inputs."""
    values: dict[str, PairedValues] = {}
    for node in graph.nodes:
        values[node.name] = compute(node, [values[source] for source in node.inputs])
        yield node, values[node.name]
        for source in node.inputs:
            if graph.last_uses[source] == node.name:
                values.pop(source, None)


def affordable(graph: Graph, arrays: int) -> int:
    """Return how many samples' values fit into `MAX_BYTES`, or `MIN_SAMPLES` where fewer do.

    Args:
        arrays: of float32 that are kept for each value of a node.
    """
    live, limit = 0, 1
    for node in graph.nodes:
        live += prod(graph.shapes[node.name])
        limit = max(limit, live)
        live -= sum(
            prod(graph.shapes[source]) for source in set(node.inputs) if graph.last_uses[source] == node.name
        )
    return max(MIN_SAMPLES, MAX_BYTES // (4 * arrays * limit))


def some_of(samples: Samples, limit: int, what: str) -> tuple[Samples, tuple[str, ...]]:
    """Return the first `MAX_SAMPLES` samples, or so many of these, evenly spaced, and a note that they are fewer.

    Args:
        what: is fitted to them, for the note.
    """
    kept = samples[:MAX_SAMPLES]
    if limit >= len(kept):
        return kept, ()
    note = f"{what} on {limit} of {len(samples)} calibration samples, to save time and memory"
    return kept[np.arange(limit) * len(kept) // limit], (note,)


def batched(compute: Callable[..., Array], size: int, *inputs: Array) -> Array:
    """Return what is computed of all samples, some at a time, in float32."""
    count = len(inputs[0])
    result = np.empty(0, np.float32)
    for part in batches(count, size):
        value = compute(*(np.asarray(x[part], np.float32) for x in inputs))
        if part.start == 0:
            result = np.empty((count, *value.shape[1:]), np.float32)
        result[part] = value
    return result


def batches(count: int, size: int) -> Iterator[slice]:
    """Yield which samples are computed together."""
    return (slice(start, start + size) for start in range(0, count, size))
