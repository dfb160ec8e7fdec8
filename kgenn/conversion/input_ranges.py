"""Bring input channels of very different sizes to one, so that the grid of a constant current serves all of them.

A table has ages beside incomes. An integer grid that holds the large values has too few steps for the small ones,
in the input and in the first weights alike. So x_c is divided by r_c on the host, and the weights of channel c are
r_c times as large: the same function, exactly, since r_c is a power of two::

    r_c = ROOM * 2**ceil(log2(max |x_c|)) over the calibration set, at least ROOM

The encoder takes magnitudes up to 1 then, so that each channel has room for new samples that are `ROOM` times as
large as those of the calibration set: among many columns, some always go beyond.

A channel that is always tiny, and not only now and then above zero as the border of an image is, gets a range
below 1. Where one is huge, all have ranges, since the grid has no step left for each unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from kgenn.encoders.base import Encoder
from kgenn.ir.graph import Array, Graph, Input, Node
from kgenn.ir.samples import Samples
from kgenn.layers.affine import Rescaling
from kgenn.passes.inserted import unused

# Channels whose ranges differ by less share a grid.
FAR_APART = 16.0
# Below this a channel has fewer than 256 steps of the grid of a direct input.
TINY = 2.0**-12
# Beyond this a direct input has fewer than 256 steps of its grid for each unit.
HUGE = 2.0**20
# Ranges and their reciprocals are normal numbers of float32.
SMALLEST, LARGEST = 2.0**-126, 2.0**126
# The root mean square of a channel that is busy, as a share of its largest value.
BUSY = 1 / 8
ROOM = 8.0


def input_ranges(graph: Graph, calibration: Samples, encoders: Mapping[str, Encoder]) -> dict[str, Array]:
    """Return r of each channel of each input, shape (channels,); 1 where nothing needs to be done.

    Args:
        graph: lowered.
        encoders: of each input; only where one sends no spikes are there ranges to choose.
    """
    found = {name: np.ones(graph.shapes[name][-1]) for name in graph.inputs}
    chosen = (name for name in graph.inputs if encoders[name].code is None)
    return found | {name: _ranges(graph.input_layers[name], calibration.arrays[name]) for name in chosen}


def _ranges(layer: Input, calibration: Array) -> Array:
    """Return r of each channel of an input for its samples, shape (N, *input shape)."""
    channels = layer.output_shape()[-1]
    largest, square = np.zeros(channels), np.zeros(channels)
    for sample in calibration:
        value = np.abs(layer.forward(np.asarray(sample[None], np.float32))).reshape(-1, channels)
        largest = np.maximum(largest, value.max(axis=0))
        square += np.mean(np.square(value, dtype=np.float64), axis=0) / len(calibration)
    tiny = (largest > 0) & (largest < TINY) & (np.sqrt(square) > BUSY * largest)
    ranges: Array = np.exp2(np.ceil(np.log2(np.where(tiny, largest, np.maximum(largest, 1)))))
    far = ranges.max() >= FAR_APART * ranges.min() or ranges.max() > HUGE or tiny.any()
    return np.clip(ROOM * ranges, SMALLEST, LARGEST) if far else np.ones(channels)


def with_input_ranges(graph: Graph, ranges: Mapping[str, Array]) -> Graph:
    """Return a lowered graph whose inputs are divided by their ranges, and multiplied by them behind encoders."""
    for name, own in ranges.items():
        if (own != 1).any():
            graph = _with_ranges(graph, name, own)
    return graph


def _with_ranges(graph: Graph, name: str, ranges: Array) -> Graph:
    def change(node: Node) -> Sequence[Node] | None:
        if node.name != name or not isinstance(node.layer, Input):
            return None
        zero = np.zeros(1, np.float32)
        steps = (*node.layer.preprocessing, Rescaling((1 / ranges).astype(np.float32), zero))
        back = Node(
            unused(f"{node.name}/range", graph.by_name),
            Rescaling(ranges.astype(np.float32), zero),
            (node.name,),
            node.origin,
        )
        return replace(node, layer=replace(node.layer, preprocessing=steps)), back

    note = (
        f"{name}: its channels reach from {ranges.min():g} to {ranges.max():g}: "
        "each is divided by a power of two before it is encoded"
    )
    return graph.edit(change).noted(note)
