"""Read operations that take positions of a tensor, repeat them, or put values around them.

Axes count with the batch axis, which must stay where it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.layers.activation import Identity
from kgenn.layers.along import Take, check_positions
from kgenn.layers.config import MAX_AXES, LayerConfig, is_sizes, is_whole, only
from kgenn.layers.constants import affine
from kgenn.layers.read_moves import axes_of
from kgenn.layers.shape import Broadcast, Permute, Reshape, ZeroPad
from kgenn.layers.weights import Weights

Chain = tuple[Layer, ...]


def read_getitem(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read x[…]: slices, numbers, new axes and an ellipsis; the batch axis is taken whole."""
    shape = only(inputs)
    value = config.argument(1, "key", "slice_spec")
    items = value if isinstance(value, list) else [value]
    named = sum(item is not None and item is not ... for item in items)
    if items.count(...) > 1 or named > len(shape) + 1:
        raise config.odd("key", value, f"an item for each of the {len(shape) + 1} axes")
    if ... not in items:
        items = [*items, ...]
    at = items.index(...)
    items = [*items[:at], *[slice(None)] * (len(shape) + 1 - named), *items[at + 1 :]]
    if items[0] != slice(None):
        raise config.odd("key", value, "one that takes all samples of a batch, such as x[:, …]")
    return _taken(config, shape, items[1:])


def _taken(config: LayerConfig, shape: Shape, items: list[Any]) -> Chain:
    """Return the layers that take an item of each axis of a sample."""
    check_positions(*shape)
    takes: list[Layer] = []
    sizes: list[int] = []
    axis = -len(shape)
    for item in items:
        if item is None:
            sizes.append(1)
            continue
        length = shape[axis]
        indices = np.arange(length)
        if isinstance(item, slice) and all(n is None or is_whole(n) for n in (item.start, item.stop, item.step)):
            indices = indices[item] if item.step != 0 else indices[:0]
            sizes.append(len(indices))
        elif is_whole(item) and -length <= item < length:
            indices = indices[[item]]
        else:
            raise config.odd("key", item, f"slices, and numbers within an axis of {length}")
        if len(indices) != length or (indices != np.arange(length)).any():
            takes.append(Take(indices, axis))
        axis += 1
    return (*takes, Reshape(tuple(sizes)))


def read_take(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read positions of an axis that are gathered."""
    if config.get("batch_dims", 0):
        raise config.bad("batch_dims", "0")
    shape, indices = only(inputs), config.argument(1, "indices")
    axis = config.axis(config.argument(2, "axis"), len(shape)) - len(shape)
    chosen = indices if isinstance(indices, list) else [indices]
    if not is_sizes(chosen, minimum=-shape[axis]):
        raise config.odd("indices", indices, "a list of whole numbers")
    check_positions(*shape)
    take = Take(np.arange(shape[axis])[chosen] if max(chosen) < shape[axis] else np.asarray(chosen), axis)
    if isinstance(indices, list):
        return (take,)
    whole = axis + len(shape)
    return (take, Reshape((*shape[:whole], *shape[whole + 1 :])))


def read_flip(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read axes that are reversed."""
    shape = only(inputs)
    axes = axes_of(config, config.argument(1, "axis"), len(shape))
    check_positions(*shape)
    return _gathered(shape, [np.arange(n)[::-1] if i in axes else np.arange(n) for i, n in enumerate(shape)])


def read_turn(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read two axes that turn by a right angle, the first towards the second, or back.

    Half a turn is refused: Keras 3.15 computes another thing on TensorFlow than on its other backends.
    """
    shape, times = only(inputs), config.get("k", 1)
    axes = axes_of(config, config.get("axes", [0, 1]), len(shape), "axes")
    if not is_whole(times) or times % 2 == 0:
        raise config.odd("k", times, "an odd number; flip both axes for half a turn")
    if len(set(axes)) != 2 or len(axes) != 2:
        raise config.odd("axes", axes, "two different axes")
    check_positions(*shape)
    order = list(range(len(shape)))
    order[axes[0]], order[axes[1]] = axes[1], axes[0]
    turned = tuple(shape[axis] for axis in order)
    back = axes[0 if times % 4 == 1 else 1]  # the axis that is reversed after the exchange
    chosen = [np.arange(n)[::-1] if i == back else np.arange(n) for i, n in enumerate(turned)]
    return (Permute(tuple(order)), *_gathered(turned, chosen))


def read_roll(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read axes along which values move in a circle."""
    shape = only(inputs)
    shift, axes = config.argument(1, "shift"), axes_of(config, config.argument(2, "axis"), len(shape))
    shifts = shift if isinstance(shift, list) else [shift] * len(axes)
    if not all(map(is_whole, shifts)) or len(shifts) != len(axes):
        raise config.odd("shift", shift, "a whole number, or one for each axis")
    check_positions(*shape)
    total = [sum(n for n, axis in zip(shifts, axes, strict=True) if axis == i) for i in range(len(shape))]
    return _gathered(shape, [np.roll(np.arange(n), k) for n, k in zip(shape, total, strict=True)])


def read_repeat(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read an axis whose values each come several times."""
    shape = only(inputs)
    times, axis = config.argument(1, "repeats"), config.axis(config.argument(2, "axis"), len(shape))
    if not is_sizes([times]):
        raise config.odd("repeats", times, "a positive integer")
    check_positions(*shape, times * shape[axis])
    return _gathered(shape, [np.repeat(np.arange(n), times if i == axis else 1) for i, n in enumerate(shape)])


def read_tile(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read a tensor that comes several times along each axis."""
    shape = only(inputs)
    times = config.argument(1, "repeats", "multiples")
    if not is_sizes(times) or len(times) != len(shape) + 1 or times[0] != 1:
        raise config.odd("repeats", times, "a number for each axis, 1 for the batch")
    check_positions(*(n * k for n, k in zip(shape, times[1:], strict=True)))
    return _gathered(shape, [np.tile(np.arange(n), k) for n, k in zip(shape, times[1:], strict=True)])


def read_broadcast(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read a tensor that is repeated to a shape."""
    only(inputs)
    target = config.argument(1, "shape")
    if not isinstance(target, list) or not is_sizes(target[1:]) or len(target) > MAX_AXES + 1:
        raise config.odd("shape", target, "the batch, then positive integers")
    return (Broadcast(tuple(target[1:])),)


def read_pad(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read values that are put around a tensor: a constant, mirrored ones, or those at its ends."""
    shape = only(inputs)
    pads: Any = config.argument(1, "pad_width", "paddings")
    pads = [[pads, pads]] * (len(shape) + 1) if is_whole(pads) else pads
    pads = [[pad, pad] if is_whole(pad) else pad for pad in pads] if isinstance(pads, list) else []
    if len(pads) != len(shape) + 1 or not all(is_sizes(p, 0) and len(p) == 2 for p in pads) or any(pads[0]):
        raise config.odd("pad_width", pads, "(before, after) for each axis, zeros for the batch")
    mode = str(config.argument(2, "mode", default="constant")).lower()
    value = config.argument(3, "constant_values", default=0)
    around = tuple((before, after) for before, after in pads[1:])
    if mode == "constant" and isinstance(value, int | float):
        return _padded(shape, around, float(value))
    modes = {"reflect": "reflect", "symmetric": "symmetric", "edge": "edge"}
    if mode not in modes:
        raise config.odd("mode", mode, f"constant with a number, {', '.join(modes)}")
    check_positions(*(n + before + after for n, (before, after) in zip(shape, around, strict=True)))
    chosen = [np.pad(np.arange(n), pad, modes[mode]) for n, pad in zip(shape, around, strict=True)]  # type: ignore[call-overload]
    return _gathered(shape, chosen)


def _padded(shape: Shape, pads: tuple[tuple[int, int], ...], value: float) -> Chain:
    """Return the layers that put a number around a tensor; channels are given an axis behind them to be padded."""
    inside = any(pads[-1])
    layers: Chain = (Reshape((*shape, 1)), ZeroPad(pads)) if inside else (ZeroPad(pads[:-1]),)
    whole = tuple(n + before + after for n, (before, after) in zip(shape, pads, strict=True))
    layers = (*layers, Reshape(whole)) if inside else layers
    if not value:
        return layers
    one, offset = np.asarray(1.0), np.asarray(value)
    return (*affine(shape, one, -offset), *layers, *affine(whole, one, offset))


def _gathered(shape: Shape, chosen: list[Array]) -> Chain:
    """Return the layers that take some positions of each axis; one that does nothing where all stay."""
    takes = tuple(
        Take(indices, axis - len(shape))
        for axis, (length, indices) in enumerate(zip(shape, chosen, strict=True))
        if not np.array_equal(indices, np.arange(length))
    )
    return takes or (Identity(),)
