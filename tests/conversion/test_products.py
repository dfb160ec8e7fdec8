"""Networks with products, normalisation and attention convert, and every backend gives the same spikes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

import kgenn
from beside import beside
from covering import covering, leading
from kgenn.backends.reference import ReferenceSimulator
from kgenn.conversion.base import Converter
from kgenn.conversion.constraints import FEATURES
from kgenn.conversion.convert import Conversion, convert_graph
from kgenn.conversion.data_norm import DataNorm
from kgenn.conversion.few_spike import FewSpike
from kgenn.conversion.recipe import recipe_of
from kgenn.ir.graph import Array, Graph
from kgenn.layers.activation import Activation, Softmax
from kgenn.layers.attention import Attention, Projection
from kgenn.layers.merge import Add, Maximum, Multiply
from kgenn.layers.normalise import Standardise
from kgenn.layers.shape import Reshape
from kgenn.passes import LoweringOptions
from networks import Build
from recordings import EVERYTHING, assert_same, compiled, on_reference

RNG = np.random.default_rng(11)


def random(*shape: int) -> Array:
    return (RNG.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32)


def squeeze_and_excitation() -> Graph:
    b = Build("squeeze-and-excitation", (6, 6, 2))
    x = b.add(Activation("silu"), b.conv("input", 4, bias=True))
    gate = b.add(
        Activation("sigmoid"), b.dense(b.add(Activation("silu"), b.dense(b.global_pool(x), 2)), 4, bias=True)
    )
    x = b.add(Activation("silu"), b.conv(b.add(Multiply(), x, b.add(Reshape((1, 1, 4)), gate)), 4))
    return b.graph(b.dense(b.global_pool(x), 3))


def normalised() -> Graph:
    b = Build("layer normalisation", (4, 4, 2))
    x = b.conv("input", 4, bias=True)
    y = b.dense(b.add(Standardise((4, 4, 4), (2,), 1e-2), x), 6, bias=True)
    x = b.add(Add(), x, b.dense(b.add(Activation("gelu"), y), 4))
    return b.graph(b.dense(b.global_pool(x), 3))


def transformer() -> Graph:
    b = Build("transformer", (4, 4))
    x = b.dense("input", 4, bias=True)
    heads = (Projection(2 * random(4, 2, 2), None) for _ in range(3))
    attended = b.add(Attention(0.7, *heads, Projection(random(2, 2, 4), None)), x, x)
    return b.graph(b.dense(b.add(Reshape((16,)), b.add(Add(), x, attended)), 3))


def causal() -> Graph:
    b = Build("causal", (4, 4))
    x = b.dense("input", 4, bias=True)
    heads = (Projection(2 * random(4, 2, 2), None) for _ in range(3))
    attended = b.add(Attention(0.7, *heads, Projection(random(2, 2, 4), None), causal=True), x, x)
    return b.graph(b.dense(b.add(Reshape((16,)), b.add(Add(), x, attended)), 3))


def windows() -> Graph:
    b = Build("windows", (2, 3, 4))
    x = b.dense("input", 4, bias=True)
    heads = (Projection(2 * random(4, 2, 2), None) for _ in range(3))
    attended = b.add(Attention(0.7, *heads, Projection(random(2, 2, 4), None), axes=(1,)), x, x)
    return b.graph(b.dense(b.add(Reshape((24,)), b.add(Add(), x, attended)), 3))


def normalised_twice() -> Graph:
    """Return a network whose second normalisation divides by a value that is the same for all samples."""
    b = Build("normalised twice", (3, 4))
    x = b.dense("input", 4, bias=True)
    for axes in ((1,), (0, 1)):
        x = b.add(Standardise((3, 4), axes, 1e-12, centred=False, total=True, least=True), x)
    return b.graph(b.dense(b.add(Reshape((12,)), x), 3))


def competing() -> Graph:
    b = Build("competing", (6,))
    x = b.add(Maximum(), b.dense("input", 5), b.dense("input", 5))
    return b.graph(b.dense(b.add(Softmax(), b.dense(x, 4)), 3))


NETWORKS: dict[str, Callable[[], Graph]] = {
    f.__name__: f
    for f in (squeeze_and_excitation, normalised, transformer, causal, windows, competing, normalised_twice)
}
METHODS: list[tuple[Converter, int, float]] = [(FewSpike(), 8, 0.1), (FewSpike(), 10, 0.1), (DataNorm(), 192, 0.3)]


def inputs(graph: Graph, count: int = 260) -> Array:
    rng = np.random.default_rng(5)
    return rng.normal(size=(count, *graph.input_shape)).astype(np.float32)


@cache
def converted(name: str, method: int) -> tuple[Graph, Conversion]:
    graph, (converter, steps, _) = NETWORKS[name](), METHODS[method]
    recipe = recipe_of(converter, None, FEATURES, LoweringOptions(pieces=16))
    return graph, convert_graph(graph, recipe, inputs(graph)[:200], steps, on_reference)


each_network = pytest.mark.parametrize("name", NETWORKS)


@pytest.mark.parametrize(("name", "method"), covering(NETWORKS, range(len(METHODS))))
def test_scores_are_the_models_on_samples_that_set_nothing(name: str, method: int) -> None:
    if method == 2 and name in ("transformer", "causal", "windows", "competing"):
        pytest.skip("a rate code of 192 steps is too coarse for a softmax inside; of 512 it is off by 0.1")
    graph, conversion = converted(name, method)
    x = inputs(graph)[200:]
    expected = np.asarray(graph.predict(x))
    scores = kgenn.compile(conversion.network, "reference").evaluate(x).scores
    off = np.sqrt(np.mean((scores - expected) ** 2)) / expected.std(axis=0).mean()
    assert off < METHODS[method][2]


@pytest.mark.parametrize("method", leading([0, 2]), ids=["few-spike-8", "data-norm"])
def test_generated_programs_give_the_spikes_of_the_reference(method: int) -> None:
    parts = {name: converted(name, method) for name in NETWORKS}
    drives = [conversion.network.drive(inputs(graph)[200:208]) for graph, conversion in parts.values()]
    network = beside({name: conversion.network for name, (_, conversion) in parts.items()})
    drive = np.concatenate(drives, axis=-1)
    assert_same(ReferenceSimulator(network).run(drive, 0, EVERYTHING), compiled(network).run(drive, 0, EVERYTHING))


@each_network
def test_a_check_approves_it_with_its_features_alone(name: str) -> None:
    graph = NETWORKS[name]()
    assert kgenn.check(graph, "few-spike", ("activation", "bias", "max-pool", "product")) == []
    assert {problem.code for problem in kgenn.check(graph, "few-spike", ("bias",))} & {"KG211"}


def test_more_pieces_are_closer_and_cost_neurons() -> None:
    graph = normalised()
    x = inputs(graph)
    few, many = (
        kgenn.convert(
            graph, calibration=x, converter="few-spike", allow=("activation", "bias", "product"), pieces=n
        )
        for n in (4, 16)
    )
    assert few.agreement is not None
    assert many.agreement is not None
    assert many.agreement.error < few.agreement.error
    assert sum(p.size for p in many.populations) > 2 * sum(p.size for p in few.populations)
