"""Small graphs, one for each thing that a network may contain; built by hand, so that no Keras is needed.

Inputs in [0, 1] stay there, and inputs in [−1, 1] too, where a graph begins with something that runs on the host.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from math import prod

import numpy as np

from kgenn.encoders.base import Encoder
from kgenn.encoders.direct import Direct
from kgenn.encoders.integrate_fire import IntegrateFire
from kgenn.encoders.poisson import Poisson
from kgenn.encoders.spike import Spike
from kgenn.encoders.stage import FewSpikeInput, FewSpikeSignedInput, TtfsInput
from kgenn.ir.graph import Array, Graph, Input, Layer, Node, Output, Shape
from kgenn.ir.network import Network, NetworkOutput, Population
from kgenn.ir.network_input import InputCoding, InputTransform, NetworkInput
from kgenn.ir.spike_code import CodeName
from kgenn.ir.windows import Padding, Pads
from kgenn.layers.activation import Identity, ReLU, Softmax
from kgenn.layers.affine import BatchNorm, Normalization, Rescaling
from kgenn.layers.conv import Conv
from kgenn.layers.cropping import Crop
from kgenn.layers.dense import Dense
from kgenn.layers.merge import Add, Average, Concatenate, Subtract
from kgenn.layers.pooling import AveragePool, MaxPool
from kgenn.layers.shape import Permute, Reshape, ZeroPad
from kgenn.layers.transposed import TransposedConv, ZeroStuff
from kgenn.layers.upsampling import Interpolation, UpSample

# every feature that `--allow` knows and data-norm represents
ALLOW = ("activation", "bias", "batch-norm", "max-pool", "relu-cap", "zero-padding")

# name: (encoder, lowest input, highest input)
ENCODERS: dict[str, tuple[Encoder, float, float]] = {
    "direct": (Direct(), -1.0, 1.0),
    "if": (IntegrateFire(), 0.0, 1.0),
    "poisson": (Poisson(), 0.0, 1.0),
    "poisson-signed": (Poisson(signed=True), -1.0, 1.0),
    "spike": (Spike(binarise=0.5), 0.0, 1.0),
}
# the same for the encoders that only staged networks take
STAGED_ENCODERS: dict[str, tuple[Encoder, float, float]] = {
    "few-spike": (FewSpikeInput(), 0.0, 1.0),
    "few-spike-signed": (FewSpikeSignedInput(), -1.0, 1.0),
    "ttfs": (TtfsInput(), 0.0, 1.0),
}


def samples(graph: Graph, count: int, low: float = 0.0, high: float = 1.0, seed: int = 7) -> Array:
    """Return random inputs of a graph, uniform from low to high, float32."""
    layer = graph.by_name[graph.inputs[0]].layer
    assert isinstance(layer, Input)
    return np.random.default_rng(seed).uniform(low, high, (count, *layer.shape)).astype(np.float32)


def lone(
    population: Population, coding: InputCoding, steps: int, code: CodeName = "rate", seed: int = 0
) -> Network:
    """Return a network of an input population alone, which is its readout too."""
    transform = InputTransform((0,), np.ones(()), np.zeros(()))
    given = NetworkInput(population.name, population.shape, transform, coding)
    output = NetworkOutput("output", population.name)
    return Network("n", (population,), (), (given,), (output,), "current", steps, seed=seed, code_name=code)


class Build:
    """A graph in the making: each method adds a node and returns its name."""

    def __init__(self, name: str, shape: Shape) -> None:
        self.name = name
        self.rng = np.random.default_rng(zlib.crc32(name.encode()))
        self.nodes = [Node("input", Input(shape), (), "input (InputLayer)")]

    def graph(self, output: str) -> Graph:
        return Graph(self.name, tuple(self.nodes), (Output(output, output),))

    def shape(self, name: str) -> Shape:
        return self.graph(name).shapes[name]

    def add(self, layer: Layer, *inputs: str) -> str:
        kind = type(layer).__name__
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(Node(name, layer, inputs, f"{name} ({kind})"))
        return name

    def kernel(self, *shape: int) -> Array:
        """Return weights with a mean above zero, so that the neurons they drive fire."""
        spread = 1 / np.sqrt(prod(shape[:-1]))
        return self.rng.normal(0.4 * spread, spread, shape).astype(np.float32)

    def vector(self, size: int, low: float, high: float) -> Array:
        return self.rng.uniform(low, high, size).astype(np.float32)

    def conv(
        self,
        x: str,
        out: int,
        size: Shape = (3, 3),
        strides: Shape | None = None,
        padding: str = "same",
        dilation: Shape | None = None,
        groups: int = 1,
        bias: bool = False,
    ) -> str:
        ones = (1,) * len(size)
        kernel = self.kernel(*size, self.shape(x)[-1] // groups, out)
        values = self.vector(out, -0.2, 0.3) if bias else None
        return self.add(Conv(kernel, values, strides or ones, padding, dilation or ones, groups), x)  # type: ignore[arg-type]

    def transposed(
        self, x: str, out: int, size: Shape, strides: Shape, pads: Pads | None = None, bias: bool = False
    ) -> str:
        """Add a transposed convolution; `pads` are those of its convolution, and by default cut nothing off."""
        if set(strides) != {1}:
            x = self.add(ZeroStuff(strides), x)
        ones, around = (1,) * len(size), tuple((k - 1, k - 1) for k in size)
        kernel = self.kernel(*size, self.shape(x)[-1], out)
        values = self.vector(out, -0.2, 0.3) if bias else None
        return self.add(TransposedConv(kernel, values, ones, pads or around, ones, spread=strides), x)

    def upsample(self, x: str, factors: Shape = (2, 2), interpolation: Interpolation = "nearest") -> str:
        return self.add(UpSample(factors, interpolation), x)

    def dense(self, x: str, out: int, bias: bool = False) -> str:
        values = self.vector(out, -0.2, 0.3) if bias else None
        return self.add(Dense(self.kernel(self.shape(x)[-1], out), values), x)

    def relu(self, x: str, cap: float | None = None) -> str:
        return self.add(ReLU(cap), x)

    def pool(self, x: str, size: Shape = (2, 2), strides: Shape | None = None, padding: str = "valid") -> str:
        return self.add(AveragePool(size, strides or size, padding), x)  # type: ignore[arg-type]

    def max_pool(
        self, x: str, size: Shape = (2, 2), strides: Shape | None = None, padding: Padding = "valid"
    ) -> str:
        return self.add(MaxPool(size, strides or size, padding), x)

    def global_pool(self, x: str) -> str:
        *sizes, channels = self.shape(x)
        return self.add(Reshape((channels,)), self.pool(x, tuple(sizes)))

    def flat(self, x: str) -> str:
        return self.add(Reshape((prod(self.shape(x)),)), x)

    def batch_norm(self, x: str) -> str:
        c = self.shape(x)[-1]
        gamma, beta = self.vector(c, 0.5, 1.5), self.vector(c, -0.1, 0.3)
        return self.add(BatchNorm(gamma, beta, self.vector(c, -0.2, 0.2), self.vector(c, 0.3, 2.0), 1e-3), x)

    def conv_relu(self, x: str, out: int, *args: object, **options: object) -> str:
        return self.relu(self.conv(x, out, *args, **options))  # type: ignore[arg-type]

    def classify(self, x: str, classes: int = 4) -> str:
        return self.dense(self.flat(x) if len(self.shape(x)) > 1 else x, classes)


Recipe = Callable[[Build], str]
RECIPES: dict[str, tuple[Shape, Recipe]] = {}


def network(*shape: int) -> Callable[[Recipe], Recipe]:
    """Register a recipe under its function's name; it gets inputs of the given shape and returns its output."""

    def register(recipe: Recipe) -> Recipe:
        RECIPES[recipe.__name__] = (shape, recipe)
        return recipe

    return register


@cache
def build(name: str) -> Graph:
    """Return the graph of a recipe."""
    shape, recipe = RECIPES[name]
    made = Build(name, shape)
    return made.graph(recipe(made))


def with_caps(graph: Graph, cap: float = 1.5) -> Graph:
    """Return a graph whose ReLUs all have a cap, as models trained for threshold-relu have."""

    def change(node: Node) -> tuple[Node] | None:
        is_open = isinstance(node.layer, ReLU) and node.layer.max_value is None
        return (replace(node, layer=ReLU(cap)),) if is_open else None

    return graph.edit(change)


# ---- dense


@network(24, 24, 2)
def wide_global_pool(b: Build) -> str:
    return b.dense(b.global_pool(b.conv_relu("input", 4)), 10)


@network(7)
def linear(b: Build) -> str:
    return b.dense("input", 4)


@network(7)
def dense(b: Build) -> str:
    return b.dense(b.relu(b.dense("input", 9)), 4)


@network(7)
def dense_deep(b: Build) -> str:
    x = b.relu(b.dense(b.relu(b.dense("input", 12)), 11))
    return b.dense(b.relu(b.dense(x, 10)), 4)


@network(7)
def dense_dense(b: Build) -> str:
    return b.dense(b.relu(b.dense(b.dense("input", 3), 9)), 4)


@network(5, 3)
def dense_on_channels(b: Build) -> str:
    return b.classify(b.relu(b.dense("input", 6)))


@network(7)
def wide_dense(b: Build) -> str:
    return b.dense(b.relu(b.dense("input", 133)), 4)


@network(7)
def one_class(b: Build) -> str:
    return b.dense(b.relu(b.dense("input", 9)), 1)


# ---- convolutions


@network(6, 7, 2)
def conv_valid(b: Build) -> str:
    return b.classify(b.conv_relu("input", 3, padding="valid"))


@network(6, 7, 2)
def conv_same(b: Build) -> str:
    return b.classify(b.conv_relu(b.conv_relu("input", 3), 4))


@network(6, 7, 2)
def conv_strided(b: Build) -> str:
    return b.classify(b.conv_relu(b.conv_relu("input", 3, strides=(2, 1)), 4, strides=(1, 2)))


@network(6, 7, 2)
def conv_strided_valid(b: Build) -> str:
    return b.classify(b.conv_relu(b.conv_relu("input", 3, (2, 3), (1, 2), "valid"), 4, (3, 2), (2, 1), "valid"))


@network(6, 7, 2)
def conv_dilated(b: Build) -> str:
    x = b.conv_relu("input", 3, dilation=(2, 1), padding="valid")
    return b.classify(b.conv_relu(x, 4, (3, 3), dilation=(1, 2)))


@network(6, 7, 2)
def conv_even_same(b: Build) -> str:
    return b.classify(b.conv_relu(b.conv_relu("input", 3, (2, 4)), 4, (4, 2), (2, 2)))


@network(6, 7, 2)
def conv_asymmetric(b: Build) -> str:
    return b.classify(b.conv_relu(b.conv_relu("input", 3, (1, 5)), 4, (3, 1)))


@network(5, 5, 4)
def conv_groups(b: Build) -> str:
    return b.classify(b.conv_relu(b.conv_relu("input", 6, groups=2), 6, groups=3, strides=(2, 2)))


@network(5, 5, 3)
def depthwise(b: Build) -> str:
    return b.classify(b.conv_relu(b.conv_relu("input", 3, groups=3), 6, groups=3))


@network(5, 5, 3)
def separable(b: Build) -> str:
    x = b.relu(b.conv(b.conv("input", 6, groups=3), 4, (1, 1)))
    return b.classify(b.relu(b.conv(b.conv(x, 4, groups=4), 5, (1, 1))))


@network(7, 5, 3)
def separable_strided(b: Build) -> str:
    x = b.conv("input", 6, groups=3, strides=(2, 1), dilation=(1, 1), padding="valid")
    return b.classify(b.relu(b.conv(x, 4, (1, 1), strides=(1, 2))))


@network(5, 6, 2)
def conv_conv(b: Build) -> str:
    return b.classify(b.relu(b.conv(b.conv("input", 3, padding="valid"), 4, (2, 2), padding="same")))


@network(3, 3, 2)
def conv_reshape_pointwise(b: Build) -> str:
    x = b.add(Reshape((9, 3)), b.conv("input", 3))
    return b.classify(b.relu(b.conv(x, 4, (1,), (2,))))


@network(9, 2)
def conv1d(b: Build) -> str:
    return b.classify(b.conv_relu(b.conv_relu("input", 3, (3,)), 4, (4,), (2,), "valid"))


@network(9, 2)
def conv1d_causal(b: Build) -> str:
    return b.classify(b.conv_relu("input", 3, (3,), padding="causal", dilation=(2,)))


@network(9, 2)
def conv1d_pool(b: Build) -> str:
    return b.classify(b.conv_relu(b.pool(b.conv_relu("input", 4, (3,)), (2,)), 5, (3,)))


@network(5, 5, 2)
def wide_33(b: Build) -> str:
    return b.classify(b.conv_relu(b.conv_relu("input", 33), 17))


@network(4, 4, 2)
def wide_64(b: Build) -> str:
    return b.classify(b.conv_relu(b.conv_relu("input", 64), 64))


@network(4, 4, 2)
def wide_100(b: Build) -> str:
    return b.classify(b.conv_relu(b.conv_relu("input", 100), 48))


@network(5, 5, 2)
def one_channel(b: Build) -> str:
    return b.classify(b.conv_relu(b.conv_relu("input", 1), 1))


@network(4, 4, 2)
def loud_channels(b: Build) -> str:
    """Two of 40 channels have large weights of equal sources, which cancel: in one grid they round the others."""
    half = b.kernel(3, 3, 2, 10)
    x = b.relu(b.add(Conv(np.concatenate([half, half], axis=-1), None, (1, 1), "same", (1, 1), 1), "input"))
    kernel = b.kernel(3, 3, 20, 40)
    loud = b.kernel(3, 3, 10, 2) * np.float32([300, 4000])
    kernel[:, :, :10, [4, 33]] += loud
    kernel[:, :, 10:, [4, 33]] -= loud
    y = b.relu(b.add(Conv(kernel, b.vector(40, -0.2, 0.3), (1, 1), "same", (1, 1), 1), x))
    return b.classify(b.conv_relu(y, 6))


# ---- pooling


@network(6, 8, 2)
def pool_conv(b: Build) -> str:
    return b.classify(b.conv_relu(b.pool(b.conv_relu("input", 3)), 4))


@network(9, 9, 2)
def pool_conv_strided(b: Build) -> str:
    x = b.pool(b.conv_relu("input", 3), (2, 1))
    return b.classify(b.conv_relu(x, 4, (3, 2), (2, 2), padding="valid"))


@network(6, 6, 2)
def pool_dense(b: Build) -> str:
    return b.classify(b.pool(b.conv_relu("input", 3)))


@network(8, 8, 2)
def pool_pool(b: Build) -> str:
    return b.classify(b.pool(b.pool(b.conv_relu("input", 3)), (2, 2), (1, 1)))


@network(8, 8, 2)
def pool_overlapping_pool(b: Build) -> str:
    return b.classify(b.conv_relu(b.pool(b.pool(b.conv_relu("input", 3), (3, 3), (1, 1))), 3))


@network(7, 7, 2)
def pool_overlapping(b: Build) -> str:
    return b.classify(b.conv_relu(b.pool(b.conv_relu("input", 3), (3, 3), (2, 2)), 4))


@network(7, 5, 2)
def pool_same_odd(b: Build) -> str:
    return b.classify(b.conv_relu(b.pool(b.conv_relu("input", 3), (2, 2), padding="same"), 4))


@network(7, 5, 2)
def pool_valid_odd(b: Build) -> str:
    return b.classify(b.conv_relu(b.pool(b.conv_relu("input", 3)), 4))


@network(6, 6, 2)
def pool_add(b: Build) -> str:
    x = b.conv_relu("input", 3)
    return b.classify(b.relu(b.add(Add(), b.pool(x), b.conv(x, 3, strides=(2, 2)))))


@network(6, 6, 2)
def pool_relu(b: Build) -> str:
    return b.classify(b.relu(b.pool(b.conv("input", 3))))


@network(6, 6, 2)
def pool_input(b: Build) -> str:
    return b.classify(b.conv_relu(b.pool("input"), 4))


@network(5, 6, 2)
def global_pool(b: Build) -> str:
    return b.dense(b.global_pool(b.conv_relu("input", 5)), 40)


@network(5, 6, 2)
def global_pool_output(b: Build) -> str:
    return b.global_pool(b.conv(b.conv_relu("input", 5), 4, (1, 1)))


# ---- branches


@network(5, 5, 3)
def residual_relu(b: Build) -> str:
    x = b.conv_relu("input", 4)
    return b.classify(b.relu(b.add(Add(), x, b.conv(b.conv_relu(x, 4), 4))))


@network(5, 5, 3)
def residual_plain(b: Build) -> str:
    x = b.conv_relu("input", 4)
    for _ in range(2):
        x = b.add(Add(), x, b.conv_relu(b.conv_relu(x, 4), 4))
    return b.classify(x)


@network(6, 6, 3)
def residual_shortcut(b: Build) -> str:
    x = b.conv_relu("input", 4)
    inner = b.conv(b.conv_relu(x, 6, strides=(2, 2)), 6)
    return b.classify(b.relu(b.add(Add(), inner, b.conv(x, 6, (1, 1), (2, 2)))))


@network(5, 5, 3)
def residual_input(b: Build) -> str:
    return b.classify(b.relu(b.add(Add(), "input", b.conv(b.conv_relu("input", 4), 3))))


@network(7)
def add_twice(b: Build) -> str:
    x = b.relu(b.dense("input", 9))
    return b.dense(b.relu(b.add(Add(), x, x, b.dense(x, 9))), 4)


@network(7)
def skip_to_readout(b: Build) -> str:
    x = b.relu(b.dense("input", 9))
    return b.add(Add(), b.dense(x, 4), b.dense(b.relu(b.dense(b.relu(b.dense(x, 8)), 8)), 4))


@network(5, 5, 2)
def concat_conv(b: Build) -> str:
    both = b.add(Concatenate(), b.conv_relu("input", 3), b.conv_relu("input", 2, (1, 1)))
    return b.classify(b.conv_relu(both, 4))


@network(5, 5, 2)
def concat_pool_conv(b: Build) -> str:
    both = b.add(Concatenate(), b.conv_relu("input", 3), b.conv_relu("input", 2, (1, 1)))
    return b.classify(b.conv_relu(b.pool(both, (2, 2), (1, 1)), 4))


@network(5, 5, 2)
def concat_grouped_conv(b: Build) -> str:
    both = b.add(Concatenate(), b.conv_relu("input", 3), b.conv_relu("input", 3, (1, 1)))
    return b.classify(b.conv_relu(both, 4, groups=2))


@network(4, 4, 2)
def concat_dense(b: Build) -> str:
    return b.classify(b.add(Concatenate(), b.conv_relu("input", 3), b.conv_relu("input", 2, (1, 1))))


@network(4, 4, 2)
def concat_same(b: Build) -> str:
    x = b.conv_relu("input", 3)
    return b.classify(b.conv_relu(b.add(Concatenate(), x, x), 4))


@network(4, 4, 2)
def concat_rows(b: Build) -> str:
    both = b.add(Concatenate(-3), b.conv_relu("input", 3), b.conv_relu("input", 3, (1, 1)))
    return b.classify(b.conv_relu(both, 4))


# ---- biases, batch normalisation, what runs on the host


@network(5, 5, 2)
def bias_conv(b: Build) -> str:
    return b.classify(b.conv_relu(b.conv_relu("input", 3, bias=True), 4, bias=True))


@network(7)
def bias_dense(b: Build) -> str:
    return b.dense(b.relu(b.dense("input", 9, bias=True)), 4, bias=True)


@network(6, 6, 2)
def bias_before_pool_conv(b: Build) -> str:
    return b.classify(b.relu(b.conv(b.pool(b.conv("input", 3, bias=True)), 4, bias=True)))


@network(5, 5, 2)
def batch_norm_after_conv(b: Build) -> str:
    x = b.relu(b.batch_norm(b.conv("input", 3)))
    return b.classify(b.relu(b.batch_norm(b.conv(x, 4, bias=True))))


@network(6, 6, 2)
def batch_norm_after_pool(b: Build) -> str:
    return b.classify(b.conv_relu(b.batch_norm(b.pool(b.conv_relu("input", 3))), 4))


@network(5, 5, 2)
def batch_norm_after_add(b: Build) -> str:
    x = b.conv_relu("input", 3)
    return b.classify(b.relu(b.batch_norm(b.add(Add(), x, b.conv(x, 3)))))


@network(5, 5, 2)
def batch_norm_before_conv_same(b: Build) -> str:
    return b.classify(b.conv_relu(b.batch_norm(b.conv_relu("input", 3)), 4))


@network(4, 4, 2)
def batch_norm_after_flatten(b: Build) -> str:
    return b.dense(b.relu(b.batch_norm(b.flat(b.conv("input", 3)))), 4)


@network(4, 4, 2)
def relu_after_flatten(b: Build) -> str:
    return b.dense(b.relu(b.flat(b.conv("input", 3))), 4)


@network(5, 5, 2)
def leaky(b: Build) -> str:
    return b.classify(b.add(ReLU(negative_slope=0.2), b.conv("input", 3)))


@network(5, 5, 2)
def rescaling(b: Build) -> str:
    return b.classify(b.conv_relu(b.add(Rescaling(np.array(0.5), np.array(0.25)), "input"), 3))


@network(5, 5, 2)
def normalization(b: Build) -> str:
    mean, variance = np.array([-0.5, -0.25]), np.array([4.0, 9.0])
    return b.classify(b.conv_relu(b.add(Normalization(mean, variance), "input"), 3))


@network(2, 5, 6)
def channels_first(b: Build) -> str:
    enter, leave = Permute((1, 2, 0)), Permute((2, 0, 1))
    x = b.add(leave, b.conv_relu(b.add(enter, "input"), 3))
    return b.classify(b.add(leave, b.pool(b.add(enter, x), (2, 2))))


@network(2, 5, 5)
def channels_first_residual(b: Build) -> str:
    enter, leave = Permute((1, 2, 0)), Permute((2, 0, 1))
    x = b.relu(b.add(leave, b.conv(b.add(enter, "input"), 3)))
    y = b.add(leave, b.conv(b.add(enter, x), 3))
    both = b.add(Concatenate(-3), b.relu(b.add(Add(), x, y)), x)
    return b.classify(b.add(leave, b.conv_relu(b.add(enter, both), 4)))


@network(12)
def reshape_conv(b: Build) -> str:
    return b.classify(b.conv_relu(b.add(Reshape((2, 3, 2)), b.relu(b.dense("input", 12))), 4))


@network(5, 5, 2)
def zero_padding(b: Build) -> str:
    x = b.conv("input", 3, bias=True)
    padded = b.add(ZeroPad(((1, 2), (0, 1))), b.relu(x))
    return b.classify(b.conv_relu(padded, 4, strides=(2, 2), padding="valid"))


@network(6, 2)
def zero_padding_1d(b: Build) -> str:
    return b.classify(b.conv_relu(b.add(ZeroPad(((2, 1),)), b.conv_relu("input", 3, (3,))), 4, (3,)))


@network(5, 5, 2)
def relu_cap(b: Build) -> str:
    return b.classify(b.relu(b.conv("input", 3), 0.6))


@network(5, 5, 2)
def relu_relu(b: Build) -> str:
    return b.classify(b.relu(b.relu(b.conv("input", 3), 0.9), 0.6))


@network(7)
def relu_output(b: Build) -> str:
    return b.relu(b.dense(b.relu(b.dense("input", 9)), 4))


@network(7)
def softmax(b: Build) -> str:
    x = b.add(Identity(), b.relu(b.dense("input", 9)))
    return b.add(Softmax(), b.dense(x, 4))


# ---- max pooling


@network(6, 6, 2)
def max_pool_conv(b: Build) -> str:
    return b.classify(b.conv_relu(b.max_pool(b.conv_relu("input", 3)), 4))


@network(6, 5, 2)
def max_pool_dense(b: Build) -> str:
    return b.classify(b.max_pool(b.conv_relu("input", 3, bias=True)))


@network(6, 7, 2)
def max_pool_overlapping_same(b: Build) -> str:
    return b.classify(b.conv_relu(b.max_pool(b.conv_relu("input", 3), (3, 3), (2, 2), "same"), 4))


@network(8, 8, 2)
def max_pool_output(b: Build) -> str:
    return b.flat(b.max_pool(b.conv_relu("input", 3), (4, 4)))


@network(9, 9, 2)
def max_pool_twice_then_relu(b: Build) -> str:
    return b.classify(b.relu(b.max_pool(b.max_pool(b.conv("input", 3)), (2, 2))))


@network(8, 8, 2)
def max_pool_max_pool(b: Build) -> str:
    return b.classify(b.max_pool(b.max_pool(b.conv_relu("input", 3), (3, 2), (1, 2))))


@network(6, 6, 2)
def max_pool_relu(b: Build) -> str:
    return b.classify(b.relu(b.max_pool(b.conv("input", 3))))


@network(6, 6, 2)
def max_pool_add(b: Build) -> str:
    x = b.conv_relu("input", 3)
    return b.classify(b.conv_relu(b.max_pool(b.add(Add(), x, b.conv_relu(x, 3))), 4))


@network(6, 6, 2)
def max_pool_concat(b: Build) -> str:
    both = b.add(Concatenate(), b.conv_relu("input", 3), b.conv_relu("input", 2, (1, 1)))
    return b.classify(b.max_pool(both))


@network(6, 6, 2)
def merged_broadcast(b: Build) -> str:
    """Sums of a feature map with one value for each channel, and a difference and a mean of feature maps."""
    x, y = b.conv_relu("input", 4), b.conv_relu("input", 4, (1, 1))
    x = b.relu(b.add(Add(), b.add(Average(), x, y), b.pool(y, (6, 6))))
    return b.classify(b.relu(b.add(Subtract(), x, b.conv(y, 4))))


@network(6, 6, 2)
def max_pool_skip(b: Build) -> str:
    x = b.conv_relu("input", 3)
    return b.classify(b.relu(b.add(Add(), b.max_pool(x), b.conv(x, 3, strides=(2, 2)))))


@network(9, 2)
def max_pool_1d(b: Build) -> str:
    return b.classify(b.conv_relu(b.max_pool(b.conv_relu("input", 4, (3,)), (3,), (2,)), 5, (3,)))


@network(5, 6, 2)
def max_pool_global(b: Build) -> str:
    # 30 values, more than one neuron can hear
    return b.dense(b.flat(b.max_pool(b.conv_relu("input", 5), (5, 6))), 4)


@network(6, 6, 2)
def max_pool_cap(b: Build) -> str:
    return b.classify(b.max_pool(b.relu(b.conv("input", 3), 0.6)))


@network(9, 8, 2)
def conv_pool_relu(b: Build) -> str:
    """Poolings between a convolution and its ReLU, of windows that overlap and of single pixels' convolutions."""
    x = b.relu(b.pool(b.conv("input", 3, (3, 2)), (3, 2), (2, 1)))
    x = b.relu(b.pool(b.conv(x, 4, (1, 1)), (2, 2), (2, 2)))
    return b.classify(b.relu(b.pool(b.conv(x, 3, (2, 2), strides=(1, 2)), (2, 1), (1, 1))))


@network(3, 4, 2)
def upsample_conv(b: Build) -> str:
    return b.classify(b.conv_relu(b.upsample(b.conv_relu("input", 3), (2, 3)), 4))


@network(4, 3, 2)
def upsample_bilinear_conv(b: Build) -> str:
    return b.classify(b.conv_relu(b.upsample(b.conv_relu("input", 3), (3, 2), "bilinear"), 4))


@network(5, 4, 3)
def upsample_scores(b: Build) -> str:
    """Scores of a small map, as large as the input at the end: single pixels, then bilinear upsampling."""
    return b.upsample(b.conv(b.conv_relu("input", 3, strides=(2, 2)), 2, (1, 1)), (2, 2), "bilinear")


@network(3, 3, 2)
def upsample_pad_conv(b: Build) -> str:
    x = b.add(ZeroPad(((1, 2), (0, 1))), b.upsample(b.conv_relu("input", 3)))
    return b.classify(b.relu(b.conv(b.add(ZeroPad(((0, 1), (1, 0))), x), 4, padding="valid")))


@network(4, 2)
def upsample_1d(b: Build) -> str:
    return b.classify(b.conv_relu(b.upsample(b.conv_relu("input", 3, (3,)), (3,)), 4, (3,)))


@network(4, 5, 2)
def upsample_input(b: Build) -> str:
    return b.classify(b.conv_relu(b.upsample("input", (2, 1), "bilinear"), 4, (2, 2)))


@network(3, 3, 2)
def upsample_dense(b: Build) -> str:
    return b.classify(b.upsample(b.conv_relu("input", 3), (2, 2), "bilinear"))


@network(7, 6, 2)
def crop_conv(b: Build) -> str:
    return b.classify(b.conv_relu(b.add(Crop(((2, 1), (0, 3))), b.conv_relu("input", 3)), 4))


@network(6, 2)
def crop_1d_dense(b: Build) -> str:
    return b.classify(b.add(Crop(((1, 2),)), b.conv_relu("input", 3, (3,))))


@network(3, 4, 2)
def transposed_conv(b: Build) -> str:
    x = b.relu(b.transposed(b.conv_relu("input", 3), 4, (3, 2), (2, 3), bias=True))
    return b.classify(b.relu(b.transposed(x, 2, (2, 2), (1, 1), ((0, 1), (1, 0)))))


@network(5, 2)
def transposed_1d(b: Build) -> str:
    x = b.relu(b.transposed(b.conv_relu("input", 3, (3,)), 4, (4,), (2,), ((2, 3),)))
    return b.classify(b.relu(b.transposed(x, 3, (1,), (3,))))


@network(5, 6, 2)
def pool_same_strided(b: Build) -> str:
    return b.classify(b.conv_relu(b.pool(b.conv_relu("input", 3), (3, 3), (2, 2), "same"), 4))


@network(5, 4, 2)
def pool_same_dense(b: Build) -> str:
    return b.classify(b.pool(b.conv_relu("input", 3), (3, 2), (1, 1), "same"))


@network(4, 5, 2)
def pool_same_add(b: Build) -> str:
    x = b.conv_relu("input", 3)
    return b.classify(b.relu(b.add(Add(), x, b.pool(x, (3, 3), (1, 1), "same"))))


@network(5, 5, 2)
def pool_same_twice(b: Build) -> str:
    x = b.pool(b.conv_relu("input", 3), (3, 3), (1, 1), "same")
    return b.classify(b.conv_relu(b.pool(x, (2, 2), (2, 2), "same"), 4))


@network(4, 4, 2)
def upsample_pool_crop(b: Build) -> str:
    """Sizes that go up and down and come to the sums of windows again."""
    x = b.upsample(b.conv_relu("input", 3), (2, 2))
    return b.classify(b.conv_relu(b.add(Crop(((1, 1), (0, 1))), b.pool(x, (4, 2), (2, 2))), 4))


@network(8, 8, 1)
def unet(b: Build) -> str:
    """A U-Net of two levels: one with a transposed convolution, one with upsampling, and scores for each pixel."""
    first = b.conv_relu("input", 3)
    second = b.conv_relu(b.pool(first), 4)
    bottom = b.conv_relu(b.pool(second), 5)
    up = b.relu(b.transposed(bottom, 4, (2, 2), (2, 2)))
    x = b.conv_relu(b.add(Concatenate(-1), second, up), 4)
    x = b.conv_relu(b.add(Concatenate(-1), first, b.upsample(x)), 3)
    return b.conv(x, 2, (1, 1))


@network(6, 6, 2)
def dense_block(b: Build) -> str:
    """A DenseNet's block and transition: each layer rectifies all that was given before, normalised."""
    x = b.conv("input", 4)
    for _ in range(2):
        inner = b.conv_relu(b.relu(b.batch_norm(x)), 3, (1, 1))
        x = b.add(Concatenate(-1), x, b.conv(inner, 2))
    x = b.pool(b.conv(b.relu(b.batch_norm(x)), 4, (1, 1)))
    x = b.add(Concatenate(-1), x, b.conv(b.relu(b.batch_norm(x)), 2))
    return b.classify(b.relu(x))
