"""Read the kernels of Dense and of convolutions, among them quantised ones and those with a low-rank correction.

Keras stores a quantised kernel of Dense as integers q with a scale s, for each output or for each group of inputs
with a zero point z:

    int8, int4 for each output    kernel = q / s
    int4 in groups of inputs      kernel = (q - z) s

In the first case it rounds the inputs too, unless the config says otherwise. Two integers of 4 bits are one byte.
LoRA adds to a kernel, quantised or not:

    kernel + (lora_alpha / lora_rank) lora_kernel_a · lora_kernel_b

which a .keras archive holds as one kernel, and an .h5 file as three arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kgenn.ir.graph import Array, Shape
from kgenn.layers.config import LayerConfig
from kgenn.layers.weights import Weights

_FLOATS = (
    "save the model before model.quantize(), or quantise only the weights: "
    "model.quantize(config=keras.quantizers.Int8QuantizationConfig(activation_quantizer=None))"
)


def read_kernel(
    config: LayerConfig, weights: Weights, shape: Shape, filters: int = 0
) -> tuple[Array, Array | None]:
    """Return a kernel of floats, corrected, and the bias, in the order of their variables.

    Args:
        filters: the number of values of the bias, where it is not the last of the kernel's shape.
    """
    kernel = weights.take("kernel", shape, trainable=not _rank(config))
    bias = read_bias(config, weights, filters or shape[-1])
    return _corrected(config, weights, kernel), bias


def read_dense_kernel(config: LayerConfig, weights: Weights, shape: Shape) -> tuple[Array, Array | None]:
    """Return the kernel and the bias of Dense, whose kernel may be quantised."""
    mode, _, block = _quantisation(config).partition("/")
    if not mode:
        return read_kernel(config, weights, shape)
    if mode not in ("int8", "int4"):
        raise config.error("KG107", f"stores its kernel as {mode}; allowed: floats, int8, int4", _FLOATS)
    size = int(block) if block.isdigit() else 0
    if not size and _rounds_inputs(config):
        what = f"rounds its inputs to {mode} while it runs, which kgenn does not compute"
        raise config.error("KG107", what, _FLOATS)
    inputs, units = shape
    packed = (inputs, -(-units // 2)) if mode == "int4" else shape
    integers = weights.take("kernel", packed, trainable=False)
    bias = read_bias(config, weights, units)
    groups = () if not size else (-(-inputs // size),)
    # what is divided by is above 0
    least = None if size else float(np.finfo(np.float32).tiny)
    scale = weights.take("kernel_scale", (*groups, units), trainable=False, least=least)
    zero = weights.take("kernel_zero", (*groups, units), trainable=False) if size else None
    index = weights.take("g_idx", (inputs,), trainable=False) if size else None
    if not weights.known:
        return _corrected(config, weights, np.broadcast_to(np.float32(0), shape)), bias
    values = _unpacked(integers, units) if mode == "int4" else integers
    if zero is None or index is None:
        return _corrected(config, weights, values / scale), bias
    group = _groups(weights, index, len(scale))
    return _corrected(config, weights, (values - zero[group]) * scale[group]), bias


def read_bias(config: LayerConfig, weights: Weights, channels: int) -> Array | None:
    """Return the bias, of one value for each channel, or None."""
    return weights.take("bias", (channels,)) if config.flag("use_bias", True) else None


def _rank(config: LayerConfig) -> int:
    return config.integer("lora_rank", 0, minimum=0)


def _corrected(config: LayerConfig, weights: Weights, kernel: Array) -> Array:
    """Return a kernel with the correction that is stored beside it."""
    rank = _rank(config)
    if not rank or not weights.more:
        return kernel
    down = weights.take("lora_kernel_a", (*kernel.shape[:-1], rank))
    up = weights.take("lora_kernel_b", (rank, kernel.shape[-1]))
    if not weights.known:
        return kernel
    corrected: Array = kernel + np.float32(config.number("lora_alpha", float(rank)) / rank) * (down @ up)
    return corrected


def _quantisation(config: LayerConfig) -> str:
    """Return how a layer's dtype policy stores kernels, as "int8" or "int4/128"; empty for floats."""
    policy: Any = config.options.get("dtype")
    entries = policy.get("config") if isinstance(policy, Mapping) else None
    entries = entries if isinstance(entries, Mapping) else {"name": policy}
    mode, name = entries.get("mode"), entries.get("name")
    if isinstance(mode, str):
        return mode
    return name.partition("_from_")[0] if isinstance(name, str) and "_from_" in name else ""


def _rounds_inputs(config: LayerConfig) -> bool:
    """Tell whether a layer quantises what it reads, as it does unless its quantisation is configured otherwise."""
    quantisation: Any = config.options.get("quantization_config")
    entries = quantisation.get("config") if isinstance(quantisation, Mapping) else None
    return not isinstance(entries, Mapping) or entries.get("activation_quantizer", "default") is not None


def _unpacked(packed: Array, units: int) -> Array:
    """Return the integers of 4 bits in the last axis: the lower half of each byte, then the upper one."""
    whole = packed.astype(np.int8)
    halves = np.stack([whole & 15, whole >> 4 & 15], axis=-1).reshape(len(whole), -1)[:, :units]
    return ((halves ^ 8) - 8).astype(np.float32)


def _groups(weights: Weights, index: Array, count: int) -> Array:
    """Return the group of each input; a problem, and the first for all, where one does not exist."""
    group = index.astype(np.int64)
    if (group == index).all() and group.size and 0 <= group.min() <= group.max() < count:
        return group
    weights.report(f"stores groups of inputs (g_idx) other than 0 to {count - 1}")
    return np.zeros_like(group)
