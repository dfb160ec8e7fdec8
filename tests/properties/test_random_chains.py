"""Whatever linear layers follow one another, over any number of axes, their connection is what they compute."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from examples import examples
from kgenn.conversion.compose import compose
from kgenn.conversion.paths import Path
from kgenn.ir.graph import Array, Layer, Shape
from kgenn.ir.network import Connection
from kgenn.layers.adaptive import AdaptivePool
from kgenn.layers.affine import Rescaling
from kgenn.layers.along import Along, Take
from kgenn.layers.conv import Conv
from kgenn.layers.cropping import Crop
from kgenn.layers.dense import Dense
from kgenn.layers.pointwise import Pointwise
from kgenn.layers.pooling import AveragePool
from kgenn.layers.shape import AxisPad, Broadcast, Permute, Reshape, ZeroPad
from kgenn.layers.upsampling import UpSample

pytestmark = pytest.mark.quick

# The most values that a layer may leave, so that examples stay fast.
MAX_VALUES = 400
KINDS = (
    *("zeros", "slot", "crop", "average", "adaptive", "enlarge", "take", "along", "broadcast"),
    *("permute", "merge", "split", "move", "rescale", "dense", "pointwise", "convolve"),
)


class Drawing:
    """The choices of an example."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.rng = np.random.default_rng(draw(st.integers(0, 99)))

    def number(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def pairs(self, count: int, most: int = 2) -> tuple[tuple[int, int], ...]:
        return tuple((self.number(0, most), self.number(0, most)) for _ in range(count))

    def weights(self, *shape: int) -> Array:
        return self.rng.normal(size=shape).astype(np.float32)

    def layer(self, kind: str, shape: Shape) -> Layer | None:
        """Return a layer of a kind for values of a shape; None where none fits."""
        *sizes, channels = shape
        rank = len(sizes)
        axis = -self.number(1, len(shape))
        length = shape[axis]
        match kind:
            case "dense":
                return Dense(self.weights(channels, self.number(1, 4)), None)
            case "pointwise":
                groups = self.draw(st.sampled_from([n for n in range(1, channels + 1) if channels % n == 0]))
                return Pointwise(self.weights(groups, channels // groups, self.number(1, 3)))
            case "rescale":
                whole = self.number(0, 3) == 0
                return Rescaling(self.weights(*(shape if whole else (channels,))), np.zeros(1, np.float32))
            case "slot":
                offset = self.number(0, 2)
                return AxisPad(offset, offset + length + self.number(0, 2), axis)
            case "take":
                taken = self.draw(st.lists(st.integers(0, length - 1), min_size=1, max_size=length + 2))
                return Take(np.array(taken, np.int64), axis)
            case "along":
                matrix = self.rng.integers(0, 3, (self.number(1, 3), length)) / 2
                return Along(matrix.astype(np.float32), axis)
            case "permute":
                return Permute(tuple(self.draw(st.permutations(range(len(shape))))))
            case "merge" if rank:
                first = self.number(0, len(shape) - 2)
                return Reshape((*shape[:first], shape[first] * shape[first + 1], *shape[first + 2 :]))
            case "split" if len(shape) < 5:
                factor = self.draw(st.sampled_from([n for n in range(1, length + 1) if length % n == 0]))
                place = len(shape) + axis
                return Reshape((*shape[:place], factor, length // factor, *shape[place + 1 :]))
            case "move":
                return Reshape(tuple(self.draw(st.permutations(shape))))
            case "broadcast":
                return Broadcast(tuple(self.number(2, 3) if n == 1 and self.number(0, 1) else n for n in shape))
            case _ if rank:
                return self.windowed(kind, shape)
        return None

    def windowed(self, kind: str, shape: Shape) -> Layer | None:
        """Return a layer that works along the spatial axes."""
        *sizes, channels = shape
        size = tuple(self.number(1, min(n, 3)) for n in sizes)
        strides, ones = tuple(self.number(1, 2) for _ in sizes), (1,) * len(sizes)
        padding = self.draw(st.sampled_from(["valid", "same"]))
        match kind:
            case "zeros":
                return ZeroPad(self.pairs(len(sizes)))
            case "crop":
                crops = self.pairs(len(sizes), 1)
                fits = all(low + high < n for n, (low, high) in zip(sizes, crops, strict=True))
                return Crop(crops) if fits else None
            case "average":
                return AveragePool(size, strides, padding)
            case "adaptive":
                return AdaptivePool(size)
            case "enlarge":
                return UpSample(size)
            case "convolve":
                groups = self.draw(st.sampled_from([1, channels]))
                kernel = self.weights(*size, channels // groups, groups * self.number(1, 2))
                return Conv(kernel, None, strides, padding, ones, groups)
        return None


@st.composite
def chains(draw: st.DrawFn) -> Path:
    """Return a chain over zero to four spatial axes, three as often as all others."""
    d = Drawing(draw)
    rank = draw(st.sampled_from([3, 3, 3, 0, 1, 2, 4]))
    shape = first = tuple(d.number(1, 3) for _ in range(rank + 1))
    layers: list[Layer] = []
    for _ in range(d.number(1, 5)):
        layer = d.layer(draw(st.sampled_from(KINDS)), shape)
        if layer is not None and prod(layer.output_shape(shape)) <= MAX_VALUES:
            layers.append(layer)
            shape = layer.output_shape(shape)
    return Path("source", first, tuple(layers))


def chain(shape: Shape, *layers: Layer) -> Path:
    return Path("source", shape, layers)


ONES = np.ones((2, 2, 2, 3), np.float32)
POOL = AveragePool((3,), (1,), "same")


@example(chain((2, 3, 2, 2), ZeroPad(((1, 0), (0, 1), (1, 1))), Dense(ONES[0, 0], None)))
@example(chain((2, 3, 2, 2), ZeroPad(((0, 0), (1, 2), (0, 0))), Dense(ONES[0, 0], None)))
@example(chain((2, 3, 2, 2), Dense(ONES[0, 0], None), ZeroPad(((1, 0), (0, 1), (1, 1)))))
@example(chain((7, 2), POOL, Reshape((7, 1, 2)), Conv(ONES, None, (1, 1), "same", (1, 1))))
@example(chain((7, 2), POOL, Reshape((7, 1, 2)), AveragePool((2, 1), (1, 1), "valid")))
@given(chains())
@examples(300)
def test_a_chain_of_linear_layers_composes_to_what_it_computes(path: Path) -> None:
    pool, connectivity = compose(path, "target")
    connection = Connection("source", "target", connectivity, pool)
    units = np.eye(prod(path.shape))
    expected = units.reshape(-1, *path.shape)
    for layer in path.layers:
        expected = layer.forward(expected)
    expected = expected.reshape(len(units), -1)
    np.testing.assert_allclose(connection.apply(units), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(connection.magnitude(), np.abs(expected).sum(axis=0), rtol=1e-5, atol=1e-5)
