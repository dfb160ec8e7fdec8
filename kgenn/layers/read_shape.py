"""Read the input layer and the layers that move values."""

from __future__ import annotations

from math import prod

from kgenn.ir.graph import Input, Layer, Shape
from kgenn.layers.config import MOST_AXES, LayerConfig, is_sizes, only
from kgenn.layers.data_format import FORMATS, data_format, spatial_rank, with_channels_on
from kgenn.layers.shape import Broadcast, Permute, Reshape, ZeroPad
from kgenn.layers.weights import Weights


def read_input(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read InputLayer: batch_input_shape in Keras 2, batch_shape in Keras 3."""
    for key in ("sparse", "ragged"):
        if config.flag(key, False):
            raise config.bad(key, "false")
    key = "batch_shape" if "batch_shape" in config.options else "batch_input_shape"
    shape = config.get(key, None)
    dimensions = shape[1:] if isinstance(shape, list) else None
    if dimensions is None or not is_sizes(dimensions) or len(dimensions) > MOST_AXES:
        raise config.error(
            "KG109",
            f"has the shape {shape}, of which kgenn must know all but the batch",
            "rebuild the model on an Input of fixed shape, copy the weights with set_weights, and save it",
        )
    return (Input(tuple(dimensions)),)


def read_flatten(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read Flatten, which brings channels to the end before it flattens."""
    shape = only(inputs)
    first = config.choice("data_format", FORMATS, "channels_last") == "channels_first"
    enter = with_channels_on(0, shape).enter if first and len(shape) > 1 else ()
    return (*enter, Reshape((prod(shape),)))


def read_reshape(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read Reshape; one entry may be -1, for what is left."""
    size, target = prod(only(inputs)), config.get("target_shape")
    if not is_sizes(target, minimum=-1) or 0 in target or len(target) > MOST_AXES:
        raise config.bad("target_shape", f"up to {MOST_AXES} positive integers and one -1")
    known = prod(n for n in target if n > 0)
    if target.count(-1) > 1 or size % known:
        raise config.bad("target_shape", f"a shape of the {size} values of its input")
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
