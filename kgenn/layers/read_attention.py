"""Read attention layers."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from kgenn.ir.graph import Layer, Shape
from kgenn.layers.attention import AdditiveAttention, Attention, Projection
from kgenn.layers.config import LayerConfig
from kgenn.layers.read_moves import axes_of
from kgenn.layers.weights import Weights

# the argument of a call that hides later rows
CAUSAL = "use_causal_mask"


def read_multi_head_attention(
    config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]
) -> tuple[Layer, ...]:
    """Read MultiHeadAttention, called on a query, a value and perhaps a key, along some of their axes or all."""
    _check_inputs(inputs)
    query, value, key = (*inputs, inputs[1])[:3]
    heads, size = config.integer("num_heads"), config.integer("key_dim")
    value_size = config.integer("value_dim", size)
    axes = _attention_axes(config, query)
    causal = config.flag(CAUSAL, False)
    if causal and len(query) != 2:
        raise config.odd(CAUSAL, True, "false for more than one axis of rows")
    outputs: Any = config.get("output_shape", query[-1])
    if isinstance(outputs, list) and len(outputs) == 1:
        (outputs,) = outputs
    if not isinstance(outputs, int):
        raise config.bad("output_shape", "a number of channels")
    projections = (
        _projection(config, weights, (channels, heads, width), (heads, width))
        for channels, width in ((query[-1], size), (key[-1], size), (value[-1], value_size))
    )
    of_query, of_key, of_value = projections
    output = _projection(config, weights, (heads, value_size, outputs), (outputs,))
    return (Attention(1 / sqrt(size), of_query, of_key, of_value, output, axes, causal),)


def _attention_axes(config: LayerConfig, shape: Shape) -> Shape:
    """Return the axes of a sample that rows lie along: all but the channels, if none are given."""
    value = config.get("attention_axes", list(range(1, len(shape))))
    axes = axes_of(config, value, len(shape), "attention_axes")
    if len(set(axes)) != len(axes) or len(shape) - 1 in axes or not axes:
        raise config.bad("attention_axes", "axes of the rows, which are neither the batch nor the channels")
    return tuple(axes)


def read_attention(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read Attention, called on a query, a value and perhaps a key, along the axis before the channels."""
    _check_inputs(inputs)
    causal = config.flag(CAUSAL, False)
    mode = config.choice("score_mode", ("dot", "concat"), "dot")
    scale = float(weights.take("scale", ())) if config.flag("use_scale", False) else 1.0
    if mode == "dot":
        return (Attention(scale, axes=(len(inputs[0]) - 2,), causal=causal),)
    _check_additive(config, inputs)
    weight = weights.take("concat_score_weight", ())
    return (AdditiveAttention(np.broadcast_to(weight, inputs[0][1:]), scale),)


def read_additive_attention(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read AdditiveAttention, called on a query, a value and perhaps a key."""
    _check_inputs(inputs)
    _check_additive(config, inputs)
    channels = inputs[0][1:]
    scale = weights.take("scale", channels) if config.flag("use_scale", True) else np.ones(channels, np.float32)
    return (AdditiveAttention(scale),)


def read_grouped_query_attention(
    config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]
) -> tuple[Layer, ...]:
    """Read GroupQueryAttention, in which several heads of the query share one of key and value."""
    _check_inputs(inputs, 2)
    query, value, key = (*inputs, inputs[1])[:3]
    heads, groups, size = (config.integer(k) for k in ("num_query_heads", "num_key_value_heads", "head_dim"))
    if heads % groups:
        raise config.bad("num_query_heads", f"a multiple of num_key_value_heads, {groups}")
    if config.flag("use_gate", False):
        raise config.bad("use_gate", "false")
    if config.get("sliding_window", None) is not None:
        raise config.bad("sliding_window", "none")
    of_query = _projection(config, weights, (query[-1], heads, size), (heads, size))
    of_key, of_value = (
        _repeated(_projection(config, weights, (shape[-1], groups, size), (groups, size)), heads // groups)
        for shape in (key, value)
    )
    output = _projection(config, weights, (heads, size, query[-1]), (query[-1],))
    return (Attention(1 / sqrt(size), of_query, of_key, of_value, output, causal=config.flag(CAUSAL, False)),)


def read_dot_product_attention(
    config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]
) -> tuple[Layer, ...]:
    """Read attention of a query, a key and a value of shape (rows, heads, channels), without projections."""
    if len(inputs) != 3 or any(len(shape) != 3 for shape in inputs):
        raise ValueError(f"takes a query, a key and a value of rows of heads, but is called on {inputs}")
    for position, key in ((3, "bias"), (4, "mask")):
        if config.argument(position, key, default=None) is not None:
            raise config.odd(key, "given", "none")
    if config.get("attn_logits_soft_cap", None) is not None:
        raise config.bad("attn_logits_soft_cap", "none")
    scale = config.argument(5, "scale", default=1 / sqrt(inputs[0][-1]))
    if not isinstance(scale, int | float):
        raise config.odd("scale", scale, "a number")
    return (Attention(float(scale), causal=config.flag("is_causal", False), key_second=True),)


def _repeated(part: Projection, times: int) -> Projection:
    """Return a projection to heads that each come several times."""
    bias = None if part.bias is None else np.repeat(part.bias, times, axis=0)
    return Projection(np.repeat(part.kernel, times, axis=1), bias)


def _projection(config: LayerConfig, weights: Weights, kernel: Shape, bias: Shape) -> Projection:
    taken = weights.take("kernel", kernel)
    return Projection(taken, weights.take("bias", bias) if config.flag("use_bias", True) else None)


def _check_inputs(inputs: tuple[Shape, ...], rank: int | None = None) -> None:
    """Raise ValueError where a layer is called on other tensors than it takes."""
    ranks = {len(shape) for shape in inputs}
    if len(inputs) not in (2, 3) or len(ranks) != 1 or min(ranks) < 2 or rank not in (None, *ranks):
        raise ValueError(f"takes a query, a value and perhaps a key of rows, but is called on {inputs}")


def _check_additive(config: LayerConfig, inputs: tuple[Shape, ...]) -> None:
    """Raise the error that an attention whose scores are sums is more than one of rows to rows."""
    _check_inputs(inputs, 2)
    if config.flag(CAUSAL, False):
        raise config.odd(CAUSAL, True, "false where scores are sums")
