"""Sliding windows over the spatial axes: padding amounts and views, for convolution and pooling."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kgenn.ir.graph import Array, Shape

Padding = Literal["valid", "same", "causal"]
Pads = tuple[tuple[int, int], ...]


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
