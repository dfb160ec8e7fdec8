"""Read the input layer and the layers that move values."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from kgenn.ir.graph import Input, Layer, Shape
from kgenn.layers.config import MAX_AXES, LayerConfig, is_sizes, only, plain
from kgenn.layers.data_format import FORMATS, data_format, spatial_rank, with_channels_on
from kgenn.layers.shape import Broadcast, Permute, Reshape, ZeroPad
from kgenn.layers.weights import Weights

# The sizes of an input's axes but the batch: None where one is open, or for the whole where their number is open.
Axes = tuple[int | None, ...] | None
# Stands for an open size in the example of a diagnostic.
EXAMPLE = 100


def read_input(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read InputLayer: batch_input_shape in Keras 2, batch_shape in Keras 3."""
    for key in ("sparse", "ragged"):
        if config.flag(key, False):
            raise config.bad(key, "false")
    found = plain(config.options.get(shape_key(config.options)))
    try:
        axes = declared_axes(config.options)
    except ValueError as error:
        raise config.error("KG109", f"has the shape {found}, which {error}", "save the model again") from None
    known = () if axes is None else tuple(size for size in axes if size is not None)
    if axes == known:
        return (Input(known),)
    sizes = with_sizes(axes)
    remedy = (
        f"give the shape of one sample, as in --input-shape {','.join(map(str, sizes))}; in a benchmark "
        f"configuration input-shape = {list(sizes)}"
    )
    raise config.error("KG109", f"has the shape {found}, of which kgenn must know all but the batch", remedy)


def shape_key(options: Mapping[str, Any]) -> str:
    """Return the entry of an InputLayer's config that holds its shape."""
    return "batch_shape" if "batch_shape" in options else "batch_input_shape"


def declared_axes(options: Mapping[str, Any]) -> Axes:
    """Return the sizes of an InputLayer's axes; raise ValueError where its config holds no shape."""
    shape = plain(options.get(shape_key(options)))
    if shape is None:
        return None
    axes = shape[1:] if isinstance(shape, list) else None
    if axes is None or not is_sizes([size for size in axes if size is not None]):
        raise ValueError("is not a list of sizes")
    if len(axes) > MAX_AXES:
        raise ValueError(f"has more than {MAX_AXES} axes beside the batch")
    return tuple(axes)


def with_sizes(axes: Axes) -> Shape:
    """Return an example of a shape with some axes open."""
    return (64, 64, 3) if axes is None else tuple(EXAMPLE if size is None else size for size in axes)


def read_flatten(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read Flatten, which brings channels to the end before it flattens."""
    shape = only(inputs)
    first = config.choice("data_format", FORMATS, "channels_last") == "channels_first"
    enter = with_channels_on(0, shape).enter if first and len(shape) > 1 else ()
    return (*enter, Reshape((prod(shape),)))


def read_reshape(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read Reshape; one entry may be -1, for what is left."""
    size, target = prod(only(inputs)), config.get("target_shape")
    if not is_sizes(target, minimum=-1) or 0 in target or len(target) > MAX_AXES:
        raise config.bad("target_shape", f"up to {MAX_AXES} positive integers and one -1")
    known = prod(n for n in target if n > 0)
    if target.count(-1) > 1:
        raise config.bad("target_shape", "at most one -1")
    if size % known:
        raise ValueError(f"{inputs[0]} cannot become {tuple(target)}")
    return (Reshape(tuple(size // known if n == -1 else n for n in target)),)


def read_permute(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read Permute, whose dims count from 1."""
    rank = len(only(inputs))
    dims = config.ints("dims", rank)
    if sorted(dims) != list(range(1, rank + 1)):
        raise config.bad("dims", f"an order of 1 to {rank}")
    return (Permute(tuple(axis - 1 for axis in dims)),)


def read_repeat_vector(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read RepeatVector, which makes a sequence of one vector."""
    (size,) = only(inputs, 1)
    return (Reshape((1, size)), Broadcast((config.integer("n"), size)))


def read_zero_padding(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read ZeroPadding1D, 2D and 3D."""
    pads = config.pairs("padding", spatial_rank(config), "a number of zeros")
    return data_format(config, inputs).wrap(ZeroPad(pads))
