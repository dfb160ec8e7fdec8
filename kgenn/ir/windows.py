"""Sliding windows over the spatial axes: padding amounts and views, for convolution and pooling."""

from __future__ import annotations

from math import prod
from typing import Literal

import numpy as np

from kgenn.ir.graph import Array, Shape

Padding = Literal["valid", "same", "causal"]
Pads = tuple[tuple[int, int], ...]

PATCH_BYTES = 8 << 20  # patches multiplied at once: about what stays in a core's cache


def pads_of(padding: Padding | Pads, sizes: Shape, kernel: Shape, strides: Shape, dilation: Shape) -> Pads:
    """Return the pixels added before and after each spatial axis.

    Numbers are themselves. `same` gives ceil(size / stride) outputs and puts the odd zero at the end, as
    TensorFlow does; `causal` puts all zeros before, so that an output sees only the past.
    """
    if not isinstance(padding, str):
        return padding
    pads: list[tuple[int, int]] = []
    for size, k, s, d in zip(sizes, kernel, strides, dilation, strict=True):
        reach = (k - 1) * d + 1
        if padding == "same":
            total = max((-(-size // s) - 1) * s + reach - size, 0)
            pads.append((total // 2, total - total // 2))
        else:
            pads.append((reach - 1, 0) if padding == "causal" else (0, 0))
    return tuple(pads)


def added(inner: Pads, outer: Pads) -> Pads:
    """Return what two paddings, one around the other, add together."""
    return tuple((a + c, b + d) for (a, b), (c, d) in zip(inner, outer, strict=True))


def window_counts(sizes: Shape, kernel: Shape, strides: Shape, dilation: Shape, pads: Pads) -> Shape:
    """Return the number of window positions along each spatial axis; raise ValueError where none fits."""
    counts = tuple(
        (size + low + high - (k - 1) * d - 1) // s + 1
        for size, k, s, d, (low, high) in zip(sizes, kernel, strides, dilation, pads, strict=True)
    )
    if any(count < 1 for count in counts):
        raise ValueError(f"a window of {kernel} does not fit into {sizes}")
    return counts


def windows(x: Array, kernel: Shape, strides: Shape, dilation: Shape, pads: Pads, fill: float = 0.0) -> Array:
    """Return a view of all windows of x.

    Args:
        x: shape (N, *sizes, C).
        fill: the value outside the image.

    Returns:
        Shape (N, *counts, C, *kernel), read-only.

    Raises:
        ValueError: where no window fits.
    """
    counts = window_counts(x.shape[1:-1], kernel, strides, dilation, pads)
    if any(low or high for low, high in pads):
        inside = x
        sizes = tuple(size + low + high for size, (low, high) in zip(x.shape[1:-1], pads, strict=True))
        x = np.full((len(x), *sizes, x.shape[-1]), fill, x.dtype)
        places = (slice(low, low + size) for size, (low, _) in zip(inside.shape[1:-1], pads, strict=True))
        x[:, *places] = inside
    first, *spatial, last = x.strides
    steps = (step * stride for step, stride in zip(spatial, strides, strict=True))
    taps = (step * apart for step, apart in zip(spatial, dilation, strict=True))
    shape = (len(x), *counts, x.shape[-1], *kernel)
    # not sliding_window_view, which takes several times as long, and small networks have many windows
    return np.lib.stride_tricks.as_strided(x, shape, (first, *steps, last, *taps), writeable=False)


def convolved(
    x: Array, kernel: Array, strides: Shape, dilation: Shape, pads: Pads, counts: Shape | None = None
) -> Array:
    """Convolve images; memory does not grow with the kernel.

    Args:
        x: shape (N, *sizes, C_in).
        kernel: shape (*size, C_in / groups, C_out); output channels of one group are adjacent.
        counts: windows along each spatial axis, the first of those that fit; all by default.

    Returns:
        Shape (N, *counts, C_out), in the type of `x`.

    Raises:
        ValueError: where no window fits.
    """
    rank, kernel = kernel.ndim - 2, kernel.astype(x.dtype, copy=False)
    # channels last of all, so that each patch is copied in runs of adjacent values
    view = np.moveaxis(windows(x, kernel.shape[:rank], strides, dilation, pads), rank + 1, -1)
    if counts is not None:
        view = view[:, *map(slice, counts)]
    y = np.empty((*view.shape[: rank + 1], kernel.shape[-1]), x.dtype)
    groups = x.shape[-1] // kernel.shape[-2]
    rows = max(1, PATCH_BYTES * groups // max(1, prod(view.shape[2:]) * x.itemsize))  # of images
    samples = max(1, rows // max(1, view.shape[1]))
    for start in range(0, len(x), samples):
        for top in range(0, view.shape[1], rows):
            part = slice(start, start + samples), slice(top, top + rows)
            _multiply(view[part], kernel, groups, y[part])
    return y


def _multiply(view: Array, kernel: Array, groups: int, y: Array) -> None:
    """Write the products of some patches, shape (N, *counts, *size, C_in), with the kernel into y."""
    per_group, out = kernel.shape[-2], kernel.shape[-1] // groups
    for group in range(groups):
        own = kernel[..., group * out : (group + 1) * out].reshape(-1, out)
        patches = view[..., group * per_group : (group + 1) * per_group].reshape(-1, len(own))
        y[..., group * out : (group + 1) * out] = (patches @ own).reshape(*y.shape[:-1], out)
