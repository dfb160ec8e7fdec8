"""Read operations that reorder values: new shapes, orders of the axes, and blocks of pixels.

Axes count with the batch axis, which must stay where it is.
"""

from __future__ import annotations

from math import prod
from typing import Any

from kgenn.ir.graph import Layer, Shape
from kgenn.layers.activation import Identity
from kgenn.layers.config import MAX_AXES, LayerConfig, is_sizes, only
from kgenn.layers.shape import Permute, Reshape
from kgenn.layers.weights import Weights

Chain = tuple[Layer, ...]


def read_nothing(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read an operation that gives what it is called on: a cast, a copy, finite numbers, a stopped gradient."""
    only(inputs)
    return (Identity(),)


def read_reshape(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read a new shape, which names the batch as -1, or leaves one other axis to be found."""
    target = config.argument(1, "newshape", "shape")
    if not isinstance(target, list) or not 2 <= len(target) <= MAX_AXES + 1:
        raise config.odd("newshape", target, "the batch as -1, then positive integers")
    batch, *rest = target
    if not is_sizes([batch, *rest], minimum=-1) or rest.count(-1) > (batch != -1) or 0 in rest:
        raise config.odd("newshape", target, "the batch as -1, then positive integers")
    size, known = prod(only(inputs)), prod(n for n in rest if n > 0)
    if size % known or (-1 not in rest and size != known):
        raise ValueError(f"{only(inputs)} cannot become {tuple(rest)}")
    return (Reshape(tuple(size // known if n == -1 else n for n in rest)),)


def read_batch_flatten(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read all values of a sample in one axis."""
    return (Reshape((prod(only(inputs)),)),)


def read_transpose(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read an order of the axes."""
    rank, axes = len(only(inputs)), config.argument(1, "axes", "perm")
    if not is_sizes(axes, minimum=0) or sorted(axes) != list(range(rank + 1)) or axes[0] != 0:
        raise config.odd("axes", axes, f"an order of 0 to {rank} that begins with 0")
    return (Permute(tuple(axis - 1 for axis in axes[1:])),)


def read_moveaxis(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read axes that are moved to other places."""
    rank = len(only(inputs))
    source = axes_of(config, config.argument(1, "source"), rank, "source")
    places = axes_of(config, config.argument(2, "destination"), rank, "destination")
    if not len(source) == len(set(source)) == len(places) == len(set(places)):
        raise config.odd("destination", places, "a place for each axis that moves")
    left = (axis for axis in range(rank) if axis not in source)
    moved = dict(zip(places, source, strict=True))
    return (Permute(tuple(moved[i] if i in moved else next(left) for i in range(rank))),)


def read_swapaxes(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read two axes that change places."""
    rank = len(only(inputs))
    order = list(range(rank))
    first, second = (config.axis(config.argument(i, name), rank, name) for i, name in ((1, "axis1"), (2, "axis2")))
    order[first], order[second] = second, first
    return (Permute(tuple(order)),)


def read_expand_dims(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read new axes of length 1."""
    shape = only(inputs)
    value = config.argument(1, "axis")
    count = len(value) if isinstance(value, list) else 1
    new = axes_of(config, value, len(shape) + count)
    lengths = iter(shape)
    return (Reshape(tuple(1 if i in new else next(lengths) for i in range(len(shape) + count))),)


def read_squeeze(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read axes of length 1 that are dropped: some, or all."""
    shape = only(inputs)
    value = config.argument(1, "axis", default=None)
    dropped = [i for i, n in enumerate(shape) if n == 1] if value is None else axes_of(config, value, len(shape))
    if any(shape[axis] != 1 for axis in dropped):
        raise ValueError(f"axes {value} of {shape} are not all of length 1")
    return (Reshape(tuple(n for i, n in enumerate(shape) if i not in dropped)),)


def read_depth_to_space(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read channels that become blocks of pixels."""
    height, width, channels = only(inputs, 3)
    size = config.integer("block_size")
    if channels % size**2 or config.get("data_format", "NHWC") != "NHWC":
        raise config.bad("block_size", f"the side of a square that {channels} channels fill, channels last")
    rest = channels // size**2
    split, order = Reshape((height, width, size, size, rest)), Permute((0, 2, 1, 3, 4))
    return (split, order, Reshape((height * size, width * size, rest)))


def read_space_to_depth(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read blocks of pixels that become channels."""
    height, width, channels = only(inputs, 3)
    size = config.integer("block_size")
    if height % size or width % size or config.get("data_format", "NHWC") != "NHWC":
        raise config.bad("block_size", f"a divisor of {height} and {width}, channels last")
    split, order = Reshape((height // size, size, width // size, size, channels)), Permute((0, 2, 1, 3, 4))
    return (split, order, Reshape((height // size, width // size, size**2 * channels)))


def axes_of(config: LayerConfig, value: Any, rank: int, key: str = "axis") -> list[int]:
    """Return one axis or several as indices into a sample's axes."""
    return [config.axis(axis, rank, key) for axis in (value if isinstance(value, list) else [value])]
