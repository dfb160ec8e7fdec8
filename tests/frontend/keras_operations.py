"""Keras models of operations on tensors, which Keras 3 stores as nodes of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, ops

IMAGE = (6, 4, 3)
CHANNELS = np.array([0.5, -1.0, 2.0], np.float32)
MATRIX = np.random.default_rng(5).normal(size=(3, 5)).astype(np.float32)
KERNEL = np.random.default_rng(7).normal(size=(3, 2, 3, 2)).astype(np.float32)
BOX = np.random.default_rng(6).normal(size=(3, 2, 6)).astype(np.float32)

# functions of one image
UNARY: dict[str, Callable[[Any], Any]] = {
    "preprocess_tf": lambda x: x / 127.5 - 1.0,
    "preprocess_caffe": lambda x: x[..., ::-1] - np.array([103.939, 116.779, 123.68]),
    "preprocess_torch": lambda x: (x / 255.0 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225]),
    "constant_first": lambda x: 2.0 - 3.0 * x + 1,
    "constant_below": lambda x: 1.0 / (ops.abs(x) + 1.0),
    "constant_tensor": lambda x: x * ops.convert_to_tensor(CHANNELS) + CHANNELS[None, None, None, :],
    "constant_broadcast": lambda x: x[:, :1] + np.arange(30.0, dtype=np.float32).reshape(1, 5, 2, 3)[:, :, :1],
    "negative": lambda x: -x,
    "power": lambda x: x**2 + x**3,
    "power_one": lambda x: x**1,
    **{name: getattr(ops, name) for name in ("arctan", "cos", "erf", "expm1", "sin")},
    "logarithms": lambda x: ops.log1p(ops.abs(x)) + ops.log2(ops.abs(x) + 1) - ops.log10(ops.abs(x) + 1),
    "roots": lambda x: ops.sqrt(ops.abs(x)) + ops.rsqrt(ops.square(x) + 0.1) + ops.reciprocal(ops.abs(x) + 1),
    "maximum": lambda x: ops.maximum(x, 0.25) + ops.maximum(x, 0.0) + ops.maximum(CHANNELS, x),
    "minimum": lambda x: ops.minimum(x, 0.25) + ops.minimum(x, CHANNELS),
    "clip": lambda x: ops.clip(x, -0.5, 0.75) + ops.clip(x, 0.0, 1.0),
    **{name: getattr(ops, name) for name in ("relu", "relu6", "sigmoid", "tanh", "silu", "softplus", "softsign")},
    **{name: getattr(ops, name) for name in ("selu", "elu", "exp", "abs", "log_sigmoid")},
    **{
        name: getattr(ops, name)
        for name in ("hard_sigmoid", "hard_silu", "hard_tanh", "log_softmax", "tanh_shrink")
    },
    "gelu": lambda x: ops.gelu(x, approximate=False) - ops.gelu(x),
    "log": lambda x: ops.log(ops.abs(x) + 0.5),
    "elu_alpha": lambda x: ops.elu(x, alpha=0.5),
    "leaky_relu": lambda x: ops.leaky_relu(x, 0.1),
    "softmax": lambda x: ops.softmax(x) + ops.softmax(x, axis=1),
    "sparsemax": lambda x: ops.sparsemax(x) + ops.sparsemax(x, axis=1),
    "glu": lambda x: ops.glu(x, axis=1) + ops.glu(x, axis=2)[:, :3, :1],
    "activations_relu": lambda x: keras.activations.relu(x, negative_slope=0.1, max_value=1.0, threshold=0.2),
    "activations_plain": lambda x: keras.activations.relu(x) + keras.activations.sigmoid(x),
    **{
        f"{name}_{label}": lambda x, n=name, a=axis, k=keep: getattr(ops, n)(x, axis=a, keepdims=k)
        for name in ("mean", "sum", "max", "min", "var", "std", "logsumexp")
        for label, axis, keep in (
            ("image", (1, 2), False),
            ("image_kept", [1, 2], True),
            ("channels", -1, True),
            ("rows", 1, False),
            ("all", (1, 2, 3), True),
            ("outer", (1, 3), False),
        )
    },
    "norm": lambda x: ops.norm(x, axis=-1) + ops.norm(x, axis=3, ord=1) - ops.norm(x, axis=-1, ord=np.inf),
    "norm_image": lambda x: ops.norm(x, axis=(1, 2), keepdims=True),
    "normalize": lambda x: ops.normalize(x) + ops.normalize(x, axis=1),
    "normalize_small": lambda x: ops.normalize(x * 1e-8, axis=(1, 2)) + ops.normalize(x, epsilon=1.5),
    "cumsum": lambda x: ops.cumsum(x, axis=1) + ops.cumsum(x, axis=-1),
    "diff": lambda x: ops.diff(x, axis=1)[:, :4] + ops.diff(x, n=2, axis=1),
    "reshape": lambda x: ops.reshape(x, (-1, 12, 6)),
    "reshape_rest": lambda x: ops.reshape(x, (-1, 4, 18)),
    "transpose": lambda x: ops.transpose(x, (0, 3, 1, 2)),
    "moveaxis": lambda x: ops.moveaxis(x, 1, -1),
    "moveaxes": lambda x: ops.moveaxis(x, (1, 3), (2, 1)),
    "swapaxes": lambda x: ops.swapaxes(x, 1, -1),
    "expand_squeeze": lambda x: ops.squeeze(ops.expand_dims(x, 2), 2) + 1.0,
    "expand_last": lambda x: ops.expand_dims(x, -1),
    "squeeze_all": lambda x: ops.squeeze(ops.mean(x, axis=1, keepdims=True), axis=1),
    "slice": lambda x: x[:, 1:-1, ::2],
    "slice_number": lambda x: x[:, 2, ..., -1],
    "slice_new_axis": lambda x: x[:, None, 1:3],
    "flip": lambda x: ops.flip(x, axis=2),
    "roll": lambda x: ops.roll(x, 2, axis=1),
    "roll_window": lambda x: ops.roll(x, (-2, 1, 3), axis=(1, 2, 1)),
    "repeat": lambda x: ops.repeat(x, 3, axis=2),
    "tile": lambda x: ops.tile(x, (1, 2, 1, 3)),
    "take": lambda x: ops.take(x, [2, 0, 0], axis=-1),
    "pad": lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 3), (0, 0))),
    "pad_channels": lambda x: ops.pad(x, ((0, 0), (1, 0), (0, 0), (2, 1))),
    "pad_value": lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 3), (0, 0)), constant_values=0.5),
    "pad_reflect": lambda x: ops.pad(x, ((0, 0), (2, 2), (1, 3), (0, 0)), mode="reflect"),
    "pad_symmetric": lambda x: ops.pad(x, ((0, 0), (2, 2), (0, 0), (0, 0)), mode="symmetric"),
    "split": lambda x: ops.concatenate(ops.split(x, 3, axis=1)[::-1], axis=-1),
    "split_places": lambda x: ops.split(x, [1, 4], axis=1)[1],
    "unstack": lambda x: ops.stack(ops.unstack(x, axis=-1)[1:], axis=1),
    "matmul": lambda x: ops.matmul(x, MATRIX),
    "dot": lambda x: ops.dot(x, MATRIX),
    "matmul_second": lambda x: ops.matmul(MATRIX[:, :4], x),
    "tensordot": lambda x: ops.tensordot(x, MATRIX, 1),
    "tensordot_axes": lambda x: ops.tensordot(x, BOX, ((1, -1), (2, 0))),
    "einsum_second": lambda x: ops.einsum("ck,bhwc->bkhw", MATRIX, x),
    "einsum": lambda x: ops.einsum("bhwc,ck->bkhw", x, MATRIX),
    "resize": lambda x: ops.image.resize(x, (9, 7)),
    "resize_smaller": lambda x: ops.image.resize(x, (3, 3), interpolation="nearest"),
    "resize_smooth": lambda x: ops.image.resize(x, (4, 3), antialias=True),
    "resize_smooth_larger": lambda x: ops.image.resize(x, (2, 7), antialias=True),
    "resize_crop": lambda x: ops.image.resize(x, (4, 5), crop_to_aspect_ratio=True),
    "resize_pad": lambda x: ops.image.resize(x, (5, 5), pad_to_aspect_ratio=True),
    "resize_cubic": lambda x: ops.image.resize(x, (9, 3), interpolation="bicubic"),
    "patches": lambda x: ops.image.extract_patches(x, 2),
    "patches_overlapping": lambda x: ops.image.extract_patches(x, (3, 2), strides=(2, 1), padding="same"),
    "patches_apart": lambda x: ops.image.extract_patches(x, 2, strides=1, dilation_rate=2),
    "greyscale": lambda x: ops.image.rgb_to_grayscale(ops.image.rgb_to_grayscale(x)),
    "crop_images": lambda x: ops.image.crop_images(x, 1, 0, target_height=3, target_width=2),
    "pad_images": lambda x: ops.image.pad_images(x, 1, 0, target_height=9, target_width=5),
    **{f"rot90_{k}": lambda x, k=k: ops.rot90(x, k, axes=(1, 2)) for k in (-1, 1, 3)},
    "rot90_back": lambda x: ops.rot90(x, axes=(3, 1)),
    "conv": lambda x: ops.conv(x, KERNEL, strides=2, padding="same"),
    "conv_dilation": lambda x: ops.conv(x, KERNEL, dilation_rate=(1, 2)),
    "depthwise_conv": lambda x: ops.depthwise_conv(x, KERNEL, padding="same"),
    "separable_conv": lambda x: ops.separable_conv(x, KERNEL, MATRIX[None, None].repeat(2, 2)),
    "batch_normalization": lambda x: ops.batch_normalization(
        x, CHANNELS, CHANNELS**2, axis=-1, offset=-CHANNELS, scale=2 * CHANNELS
    ),
    "layer_normalization": lambda x: ops.layer_normalization(x, CHANNELS, -CHANNELS, axis=-1, epsilon=0.1),
    "layer_normalization_plain": lambda x: ops.layer_normalization(x, axis=(1, 2)),
    "rms_normalization": lambda x: ops.rms_normalization(x, CHANNELS, axis=-1),
    "average": lambda x: ops.average(x, axis=2) + ops.average(x, axis=2, weights=np.arange(4.0)),
    "moments": lambda x: ops.concatenate(ops.moments(x, axes=[1, 2]), axis=-1),
    "moments_kept": lambda x: (x - ops.moments(x, axes=1, keepdims=True)[0]) / 2.0,
    "zeros_like": lambda x: ops.concatenate([x, ops.zeros_like(x)], axis=-1) - 1.0,
    "ones_like": lambda x: ops.ones_like(x) - x,
    "nan_to_num": ops.nan_to_num,
    "celu": lambda x: ops.celu(x, alpha=0.5),
    "threshold": lambda x: ops.threshold(x, 0.25, -0.5),
    "average_pool": lambda x: ops.average_pool(x, 2, strides=1, padding="same"),
    "max_pool": lambda x: ops.max_pool(x, (2, 3)),
    "cast": lambda x: ops.cast(x, "float32") + 1.0,
    "layers_between": lambda x: ops.relu(layers.Conv2D(4, 3, padding="same")(x / 2.0) + 0.1),
}
# functions of two images
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / (ops.abs(y) + 1.0),
    "maximum": lambda x, y: ops.maximum(x, y) - ops.minimum(x, y),
    "gate": lambda x, y: x * ops.sigmoid(ops.mean(y, axis=(1, 2), keepdims=True)),
    "concatenate": lambda x, y: ops.concatenate([x, y], axis=-1),
    "concatenate_rows": lambda x, y: ops.concatenate([x, y], axis=1),
    "stack": lambda x, y: ops.stack([x, y], axis=2),
    "stack_last": lambda x, y: ops.stack([x, y], axis=-1),
    "matmul": lambda x, y: ops.matmul(x, ops.swapaxes(y, 2, 3)),
    "einsum": lambda x, y: ops.einsum("bhwc,bhvc->bhwv", x, y),
    "matmul_turned": lambda x, y: ops.matmul(ops.swapaxes(y, 2, 3), x) + ops.matmul(ops.swapaxes(x, 2, 3), x),
    "matmul_repeated": lambda x, y: ops.matmul(x[:, :1], ops.swapaxes(y, 2, 3)),
    "einsum_sums": lambda x, y: ops.einsum("bhwc,bvkc->bhv", x, y),
    "einsum_outer": lambda x, y: ops.einsum("bhwc,bhvc->bchwv", x, y),
    "dot_product_attention": lambda x, y: ops.dot_product_attention(x, y, y[..., ::-1]),
    "dot_product_attention_causal": lambda x, y: ops.dot_product_attention(x, y, x, scale=2.0, is_causal=True),
    "named": lambda x, y: ops.add(x1=x, x2=y),
}


def unary(name: str) -> keras.Model:
    """Return a model of a function of one image."""
    x = keras.Input(IMAGE)
    return keras.Model(x, UNARY[name](x))


def binary(name: str) -> keras.Model:
    """Return a model of a function of two images."""
    x, y = keras.Input(IMAGE), keras.Input(IMAGE)
    return keras.Model([x, y], BINARY[name](x, y))


def two_outputs() -> keras.Model:
    """Return a model that gives two of the parts that an operation cuts its input into."""
    x = keras.Input(IMAGE)
    parts = ops.split(x, 3, axis=-1)
    return keras.Model(x, [parts[2], parts[0] + 1.0])


def nested() -> keras.Model:
    """Return a model of operations that another calls twice."""
    x = keras.Input(IMAGE)
    inner = keras.Model(x, ops.relu(layers.Dense(3)(x) * 2.0 - 0.5), name="inner")
    y = keras.Input(IMAGE)
    return keras.Model(y, inner(inner(y) + y))


OPERATIONS: dict[str, Callable[[], keras.Model]] = {
    **{name: lambda n=name: unary(n) for name in UNARY},
    **{f"two_{name}": lambda n=name: binary(n) for name in BINARY},
    "two_outputs": two_outputs,
    "nested": nested,
}
