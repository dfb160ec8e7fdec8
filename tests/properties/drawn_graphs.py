"""Random legal networks of every layer that becomes spikes, drawn by hypothesis.

A graph is an input, some blocks and a head. A block is a function that adds layers after a node and returns the
last of them; `BLOCKS` lists those for feature maps in one and two dimensions, `VECTOR_BLOCKS` those for vectors. A
new layer needs a block here and, so that Keras can be the oracle, a case in `keras_twin.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import gcd, prod

import numpy as np
from hypothesis import strategies as st

from kgenn.ir.graph import Array, Graph, Shape
from kgenn.ir.windows import Padding
from kgenn.layers.activation import Activation, Identity, ReLU, Softmax
from kgenn.layers.affine import Normalization, Rescaling
from kgenn.layers.cropping import Crop
from kgenn.layers.merge import Add, Concatenate
from kgenn.layers.pooling import MaxPool
from kgenn.layers.shape import Permute, Reshape, ZeroPad
from networks import Build

Block = Callable[["Drawing", str], str]

# channels: few, and some that fill a vector of the generated program and leave a rest
WIDTHS = (1, 2, 3, 4, 6, 17, 33)
# mean of the weights in units of their spread, and the share of zeros among them
WEIGHTS = ((0.4, 0.0), (0.4, 0.5), (0.0, 0.0), (1.0, 0.0), (0.1, 0.9))
# the most neurons that a block may leave, so that examples stay fast
MAX_NEURONS = 1500


class Drawing(Build):
    """A graph in the making whose choices hypothesis makes."""

    def __init__(self, draw: st.DrawFn, shape: Shape) -> None:
        super().__init__(f"drawn_{draw(st.integers(0, 999))}", shape)
        self.draw = draw
        self.mean, self.zeros = self.pick(*WEIGHTS)

    def pick(self, *choices):  # type: ignore[no-untyped-def]
        """Return one of some choices; the simplest is the first."""
        return self.draw(st.sampled_from(choices))

    def number(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def kernel(self, *shape: int) -> Array:
        spread = 1 / np.sqrt(prod(shape[:-1]))
        values = self.rng.normal(self.mean * spread, spread, shape)
        return np.where(self.rng.random(shape) < self.zeros, 0, values).astype(np.float32)

    def spatial(self, x: str) -> Shape:
        return self.shape(x)[:-1]

    def window(self, x: str, most: int = 3) -> tuple[Shape, Shape, Padding]:
        """Return size, strides and padding of a window that fits."""
        sizes = self.spatial(x)
        size = tuple(self.number(1, most) for _ in sizes)
        strides = tuple(self.number(1, most) for _ in sizes)
        fits = all(n <= s for n, s in zip(size, sizes, strict=True))
        return size, strides, self.pick("valid", "same") if fits else "same"

    def geometry(self, x: str) -> tuple[Shape, Shape, Padding, Shape]:
        """Return size, strides, padding and dilation of a convolution that fits; one of the two is 1."""
        size, strides, padding = self.window(x)
        sizes = self.spatial(x)
        ones = (1,) * len(sizes)
        dilation = tuple(self.pick(1, 1, 2) for _ in sizes) if strides == ones else ones
        reach = [(n - 1) * d + 1 for n, d in zip(size, dilation, strict=True)]
        if padding == "valid" and any(r > s for r, s in zip(reach, sizes, strict=True)):
            padding = "same"
        if len(sizes) == 1 and self.pick(False, False, True):
            padding = "causal"
        return size, strides, padding, dilation

    def activated(self, x: str) -> str:
        """Add what may stand between a linear layer and the next: batch normalisation, dropout, a ReLU or none."""
        if self.pick(False, False, True):
            x = self.batch_norm(x)
        if self.pick(False, False, False, True):
            x = self.add(Identity(), x)
        return self.relu(x, self.pick(None, None, 1.5, 0.6)) if self.pick(True, True, True, False) else x

    def fits(self, x: str) -> bool:
        return prod(self.shape(x)) <= MAX_NEURONS


# ---- blocks of feature maps


def convolution(d: Drawing, x: str) -> str:
    size, strides, padding, dilation = d.geometry(x)
    out = d.pick(*WIDTHS)
    return d.activated(d.conv(x, out, size, strides, padding, dilation, bias=d.pick(False, True)))


def grouped(d: Drawing, x: str) -> str:
    size, strides, padding, dilation = d.geometry(x)
    channels = d.shape(x)[-1]
    groups = gcd(channels, d.pick(2, 3, 4))
    out = groups * d.number(1, 3)
    return d.activated(d.conv(x, out, size, strides, padding, dilation, groups, d.pick(False, True)))


def depthwise(d: Drawing, x: str) -> str:
    size, strides, padding, dilation = d.geometry(x)
    channels = d.shape(x)[-1]
    multiplier = d.pick(1, 1, 2)
    return d.activated(d.conv(x, channels * multiplier, size, strides, padding, dilation, channels))


def separable(d: Drawing, x: str) -> str:
    size, strides, padding, dilation = d.geometry(x)
    channels = d.shape(x)[-1]
    x = d.conv(x, channels * d.pick(1, 2), size, strides, padding, dilation, channels)
    return d.activated(d.conv(x, d.pick(*WIDTHS), (1,) * len(size), bias=d.pick(False, True)))


def average_pooling(d: Drawing, x: str) -> str:
    return d.pool(x, *d.window(x))


def max_pooling(d: Drawing, x: str) -> str:
    if not isinstance(d.nodes[-1].layer, ReLU | MaxPool) and d.pick(True, True, False):
        x = d.relu(x)
    x = d.max_pool(x, *d.window(x))
    return d.relu(x) if d.pick(False, False, True) else x


def zero_padding(d: Drawing, x: str) -> str:
    pads = tuple((d.number(0, 2), d.number(0, 2)) for _ in d.spatial(x))
    return convolution(d, d.add(ZeroPad(pads), x))


def enlarged(d: Drawing, x: str) -> str:
    """Add an upsampling, and perhaps zeros and a part of the result."""
    factors = tuple(d.number(1, 3) for _ in d.spatial(x))
    x = d.upsample(x, factors, d.pick("nearest", "bilinear") if len(factors) == 2 else "nearest")
    if d.pick(False, False, True):
        x = d.add(ZeroPad(tuple((d.number(0, 1), d.number(0, 2)) for _ in factors)), x)
    return cropped(d, x) if d.pick(False, False, True) else x


def cropped(d: Drawing, x: str) -> str:
    crops = []
    for size in d.spatial(x):
        before = d.number(0, min(2, size - 1))
        crops.append((before, d.number(0, min(2, size - 1 - before))))
    return d.add(Crop(tuple(crops)), x)


def transposed(d: Drawing, x: str) -> str:
    """Add a transposed convolution, with padding `valid` or `same`."""
    size, strides = (tuple(d.number(1, 3) for _ in d.spatial(x)) for _ in range(2))
    pads, same = [], d.pick(False, True)
    for k, s in zip(size, strides, strict=True):
        cut = max(k - s, 0) if same else 0
        before = k - 1 - cut // 2
        pads.append((before, max(s - k, 0) + 2 * (k - 1) - cut - before))
    return d.activated(d.transposed(x, d.pick(*WIDTHS), size, strides, tuple(pads), d.pick(False, True)))


def residual(d: Drawing, x: str) -> str:
    """Add a residual block, with a 1×1 convolution as its shortcut where shapes differ."""
    rank = len(d.spatial(x))
    ones, size = (1,) * rank, (3,) * rank
    strides, out = (d.pick(1, 1, 2),) * rank, d.pick(d.shape(x)[-1], 4)
    inner = d.conv(d.activated(d.conv(x, 4, size, strides)), out, size)
    plain = strides == ones and out == d.shape(x)[-1] and d.pick(True, False)
    shortcut = x if plain else d.conv(x, out, ones, strides)
    return d.activated(d.add(Add(), shortcut, inner))


def twice(d: Drawing, x: str) -> str:
    return d.activated(d.add(Add(), x, x))


def concatenation(d: Drawing, x: str) -> str:
    axis = d.pick(-1, -1, -1 - d.number(1, len(d.spatial(x))))
    rank, out = len(d.spatial(x)), d.number(1, 4)
    one = d.activated(d.conv(x, out, (d.number(1, 3),) * rank))
    other = d.activated(d.conv(x, out if axis != -1 else d.number(1, 4), (1,) * rank))
    both = d.add(Concatenate(axis), one, d.pick(other, one))
    return d.add(Concatenate(axis), both, other) if d.pick(False, False, True) else both


def pooled_concatenation(d: Drawing, x: str) -> str:
    return average_pooling(d, concatenation(d, x))


def dense_on_channels(d: Drawing, x: str) -> str:
    return d.activated(d.dense(x, d.number(1, 6), d.pick(False, True)))


def permutation(d: Drawing, x: str) -> str:
    axes = d.draw(st.permutations(range(len(d.shape(x)))))
    return d.add(Permute(tuple(axes)), x)


def channels_first(d: Drawing, x: str) -> str:
    """Add a convolution between two transpositions, as models in the other data format have them."""
    rank = len(d.spatial(x))
    leave, enter = Permute((rank, *range(rank))), Permute((*range(1, rank + 1), 0))
    return convolution(d, d.add(enter, d.relu(d.add(leave, x))))


def merged_axes(d: Drawing, x: str) -> str:
    """Reshape the map to one axis less, or to as many others."""
    *sizes, channels = d.shape(x)
    choices: list[Shape] = [(prod(sizes), channels), (sizes[0], prod(sizes[1:]) * channels)]
    if len(sizes) == 2:
        choices.append((sizes[1], sizes[0], channels))
    return d.add(Reshape(d.pick(*choices)), x)


BLOCKS: tuple[Block, ...] = (
    convolution,
    grouped,
    depthwise,
    separable,
    average_pooling,
    max_pooling,
    zero_padding,
    enlarged,
    cropped,
    transposed,
    residual,
    twice,
    concatenation,
    pooled_concatenation,
    dense_on_channels,
    permutation,
    channels_first,
    merged_axes,
)


# ---- blocks of vectors


def dense(d: Drawing, x: str) -> str:
    return d.activated(d.dense(x, d.pick(3, 5, 9, 33, 133), d.pick(False, True)))


def dense_skip(d: Drawing, x: str) -> str:
    (size,) = d.shape(x)
    inner = d.dense(d.relu(d.dense(x, 5)), size)
    return d.activated(d.add(Add(), x, inner))


def dense_concatenation(d: Drawing, x: str) -> str:
    return d.add(Concatenate(), x, d.activated(d.dense(x, 4)))


def to_map(d: Drawing, x: str) -> str:
    (size,) = d.shape(x)
    height = d.pick(*(n for n in (1, 2, 3, 4) if size % n == 0))
    return d.add(Reshape((height, size // height, 1) if d.pick(True, False) else (height, size // height)), x)


VECTOR_BLOCKS: tuple[Block, ...] = (dense, dense_skip, dense_concatenation, to_map)


# ---- whole graphs


def prepared(d: Drawing) -> str:
    """Add what runs on the host: values in [−1, 1] stay there, those in [0, 1] too."""
    kind = d.pick("none", "none", "none", "rescaling", "normalization", "permute")
    channels = d.shape("input")[-1]
    if kind == "rescaling":
        return d.add(Rescaling(np.array(d.pick(0.5, 0.25)), np.array(0.25)), "input")
    if kind == "normalization":
        return d.add(Normalization(np.full(channels, -0.5), np.linspace(4.0, 9.0, channels)), "input")
    return permutation(d, "input") if kind == "permute" else "input"


def headed(d: Drawing, x: str) -> str:
    """Add what makes scores of a node: a pooling, dense layers, perhaps an activation; or a map of scores."""
    if len(d.shape(x)) > 1:
        kind = d.pick("flatten", "flatten", "average", "max", "map")
        if kind == "map":
            return d.conv(x, d.number(1, 3), (1,) * len(d.spatial(x)))
        if kind == "average":
            x = d.pool(x, d.spatial(x))
        elif kind == "max":
            x = d.max_pool(d.relu(x), d.spatial(x))
        x = d.flat(x)
    if d.pick(False, True):
        x = dense(d, x)
    x = d.dense(x, d.number(1, 5), d.pick(False, True))
    end = d.pick("scores", "scores", "scores", "softmax", "relu", "sigmoid")
    if end in ("softmax", "sigmoid"):
        return d.add(Softmax() if end == "softmax" else Activation(end), x)
    return d.relu(x) if end == "relu" else x


SHAPES: st.SearchStrategy[Shape] = st.one_of(
    st.tuples(st.integers(1, 7), st.integers(1, 7), st.sampled_from((1, 2, 3, 4))),
    st.tuples(st.integers(1, 10), st.sampled_from((1, 2, 4))),
    st.tuples(st.sampled_from((1, 4, 7, 12))),
)


@st.composite
def graphs(draw: st.DrawFn, most_blocks: int = 4) -> Graph:
    """Draw a legal network with one input and one output."""
    d = Drawing(draw, draw(SHAPES))
    x = prepared(d)
    for _ in range(d.number(0, most_blocks)):
        block = d.pick(*(BLOCKS if len(d.shape(x)) > 1 else VECTOR_BLOCKS))
        nodes = list(d.nodes)
        after = block(d, x)
        if d.fits(after):
            x = after
        else:
            d.nodes = nodes
    return d.graph(headed(d, x))
