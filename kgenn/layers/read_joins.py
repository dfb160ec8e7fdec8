"""Read operations that join tensors, and those that cut one into several.

Axes count with the batch axis, which must stay where it is.
"""

from __future__ import annotations

from itertools import accumulate, pairwise

import numpy as np

from kgenn.ir.graph import Layer, Shape
from kgenn.layers.along import Take, check_positions
from kgenn.layers.config import LayerConfig, OutputChains, is_sizes, is_whole, only
from kgenn.layers.merge import Concatenate
from kgenn.layers.shape import Permute, Reshape
from kgenn.layers.weights import Weights

# Parts that an operation cuts a tensor into, at most.
MAX_PARTS = 4096
Chain = tuple[Layer, ...]


def read_concatenate(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read tensors that are joined along an axis."""
    rank = min((len(shape) for shape in inputs), default=0)
    return (Concatenate(config.axis(config.argument(1, "axis", default=-1), rank) - rank),)


def read_stack(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read tensors that are joined along a new axis."""
    if len(set(inputs)) != 1:
        raise ValueError(f"shapes {inputs} do not stack")
    shape, count = inputs[0], len(inputs)
    new = config.axis(config.argument(1, "axis", default=0), len(shape) + 1)
    # joined before the first axis that is moved up, or beside the last
    if new == len(shape):
        order = (*range(len(shape) - 1), len(shape), len(shape) - 1)
        return (Concatenate(-1), Reshape((*shape[:-1], count, shape[-1])), Permute(order))
    return (Concatenate(new - len(shape)), Reshape((*shape[:new], count, *shape[new:])))


def read_split(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> OutputChains:
    """Read a tensor that is cut along an axis: into equal parts, at given places, or into given sizes."""
    shape = only(inputs)
    axis = config.axis(config.argument(2, "axis", default=0), len(shape)) - len(shape)
    places = _places(config, shape[axis])
    _check_parts(len(places) + 1, shape[axis])
    parts = pairwise((0, *places, shape[axis]))
    return OutputChains(tuple((Take(np.arange(start, stop), axis),) for start, stop in parts))


def _places(config: LayerConfig, length: int) -> list[int]:
    """Return where an axis is cut."""
    sizes = config.get("num_or_size_splits", None)
    value = config.argument(1, "indices_or_sections", default=sizes)
    if is_whole(value) and value > 0 and length % value == 0:
        _check_parts(value, length)
        return list(range(length // value, length, length // value))
    ends = list(accumulate(value)) if is_sizes(value) else []
    if sizes is not None and ends and ends[-1] == length:
        return ends[:-1]
    if sizes is None and is_sizes(value) and sorted({0, *value, length}) == [0, *value, length]:
        return list(value)
    raise config.odd("indices_or_sections", value, f"a number of equal parts of {length}, or places in order")


def _check_parts(count: int, length: int) -> None:
    """Raise ValueError where a tensor is cut into too many parts."""
    check_positions(length)
    if count > MAX_PARTS:
        raise ValueError(f"{count:,} parts of a tensor, more than {MAX_PARTS:,}")


def read_unstack(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> OutputChains:
    """Read a tensor that is cut along an axis into parts without it."""
    shape = only(inputs)
    axis = config.axis(config.argument(2, "axis", default=0), len(shape))
    _check_parts(shape[axis], shape[axis])
    rest = Reshape((*shape[:axis], *shape[axis + 1 :]))
    return OutputChains(tuple((Take(np.array([i]), axis - len(shape)), rest) for i in range(shape[axis])))
