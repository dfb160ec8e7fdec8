"""Read attention layers."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from kgenn.ir.graph import Layer, Shape
from kgenn.layers.attention import AdditiveAttention, Attention, Projection
from kgenn.layers.config import LayerConfig
from kgenn.layers.weights import Weights


def read_multi_head_attention(
    config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]
) -> tuple[Layer, ...]:
    """Read MultiHeadAttention, called on a query, a value and perhaps a key, each of rows."""
    _check_inputs(inputs)
    query, value, key = (*inputs, inputs[1])[:3]
    heads, size = config.integer("num_heads"), config.integer("key_dim")
    value_size = config.integer("value_dim", size)
    if config.get("attention_axes", None) not in (None, [1], 1):
        raise config.bad("attention_axes", "the axis of the rows, 1")
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
    layer = Attention(1 / sqrt(size), of_query, of_key, of_value, output)
    return (layer,)


def read_attention(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read Attention, called on a query, a value and perhaps a key."""
    _check_inputs(inputs)
    mode = config.choice("score_mode", ("dot", "concat"), "dot")
    scale = float(weights.take("scale", ())) if config.flag("use_scale", False) else 1.0
    if mode == "dot":
        return (Attention(scale),)
    weight = weights.take("concat_score_weight", ())
    return (AdditiveAttention(np.broadcast_to(weight, inputs[0][1:]), scale),)


def read_additive_attention(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read AdditiveAttention, called on a query, a value and perhaps a key."""
    _check_inputs(inputs)
    channels = inputs[0][1:]
    scale = weights.take("scale", channels) if config.flag("use_scale", True) else np.ones(channels, np.float32)
    return (AdditiveAttention(scale),)


def read_grouped_query_attention(
    config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]
) -> tuple[Layer, ...]:
    """Read GroupQueryAttention, in which several heads of the query share one of key and value."""
    _check_inputs(inputs)
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
    return (Attention(1 / sqrt(size), of_query, of_key, of_value, output),)


def _repeated(part: Projection, times: int) -> Projection:
    """Return a projection to heads that each come several times."""
    bias = None if part.bias is None else np.repeat(part.bias, times, axis=0)
    return Projection(np.repeat(part.kernel, times, axis=1), bias)


def _projection(config: LayerConfig, weights: Weights, kernel: Shape, bias: Shape) -> Projection:
    taken = weights.take("kernel", kernel)
    return Projection(taken, weights.take("bias", bias) if config.flag("use_bias", True) else None)


def _check_inputs(inputs: tuple[Shape, ...]) -> None:
    if len(inputs) not in (2, 3) or any(len(shape) != 2 for shape in inputs):
        raise ValueError(f"takes a query, a value and perhaps a key of rows, but is called on {inputs}")
