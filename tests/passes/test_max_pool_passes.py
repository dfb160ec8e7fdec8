"""The passes around max pooling: ReLUs move before it, populations are placed, large windows are split."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import kgenn
from covering import leading
from kgenn.conversion import CONVERTERS
from kgenn.ir.graph import Array, Graph, Input, Node, Output
from kgenn.ir.text import graph_text
from kgenn.ir.windows import Padding
from kgenn.layers.activation import ReLU
from kgenn.layers.merge import Add
from kgenn.layers.pooling import MaxPool
from kgenn.layers.shape import Permute, ZeroPad
from kgenn.passes import LoweringOptions, lower
from kgenn.passes.max_pool import (
    fold_padding_into_max_pool,
    place_max_pool_sources,
    rectify_before_max_pool,
    split_max_pools,
)
from networks import RECIPES, Build, build, samples

DEFAULT = LoweringOptions()
POOLED = [name for name in RECIPES if name.startswith("max_pool")]


def pools(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if isinstance(node.layer, MaxPool)]


def output(graph: Graph, x: Array) -> Array:
    return dict(graph.forward(x))[graph.ends[0]]


def test_a_relu_after_a_max_pooling_moves_before_it() -> None:
    graph = rectify_before_max_pool(build("max_pool_relu"), DEFAULT)
    (pool,) = pools(graph)
    assert isinstance(graph.by_name[pool.inputs[0]].layer, ReLU)
    assert not any(isinstance(graph.by_name[user].layer, ReLU) for user in graph.consumers[pool.name])


@pytest.mark.parametrize("cap", [None, 0.4])
def test_a_moved_relu_keeps_its_cap_and_the_function(cap: float | None) -> None:
    b = Build("capped after", (6, 6, 2))
    graph = b.graph(b.classify(b.relu(b.max_pool(b.conv("input", 3)), cap)))
    moved = rectify_before_max_pool(graph, DEFAULT)
    (relu,) = (node for node in moved.nodes if isinstance(node.layer, ReLU))
    assert isinstance(relu.layer, ReLU)
    assert relu.layer.max_value == cap
    x = samples(graph, 5, -1.0, 1.0)
    np.testing.assert_array_equal(output(moved, x), output(graph, x))


def test_a_relu_stays_where_others_read_the_pooled_values() -> None:
    b = Build("tapped pool", (6, 6, 2))
    pool = b.max_pool(b.conv("input", 3))
    graph = b.graph(b.classify(b.add(Add(), pool, b.relu(pool))))
    assert graph_text(rectify_before_max_pool(graph, DEFAULT)) == graph_text(graph)


def test_a_relu_that_no_neuron_computes_stays() -> None:
    b = Build("leaky", (6, 6, 2))
    graph = b.graph(b.classify(b.add(ReLU(None, 0.1), b.max_pool(b.conv("input", 3)))))
    assert graph_text(rectify_before_max_pool(graph, DEFAULT)) == graph_text(graph)


def test_a_relu_that_was_pushed_through_a_transposition_moves_and_is_pushed_through_another() -> None:
    b = Build("turned twice", (6, 4, 2))
    turned = b.max_pool(b.add(Permute((1, 0, 2)), b.conv("input", 3)))
    graph = b.graph(b.classify(b.relu(b.add(Permute((0, 1, 2)), b.add(Permute((1, 0, 2)), turned)))))
    lowered = lower(graph, DEFAULT)
    x = samples(graph, 5, -1.0, 1.0)
    np.testing.assert_array_equal(output(lowered, x), output(graph, x))


def padded_pool(pads: tuple[tuple[int, int], ...], padding: Padding = "valid", twice: bool = False) -> Graph:
    """Return a convolution with a ReLU, zeros around it, and a max pooling of 3 by 3 at every second pixel."""
    b = Build("padded pool", (6, 7, 2))
    x = b.add(ZeroPad(pads), b.relu(b.conv("input", 4)))
    if twice:
        x = b.add(ZeroPad(((0, 1), (1, 0))), x)
    return b.graph(b.classify(b.max_pool(x, (3, 3), (2, 2), padding)))


@pytest.mark.parametrize(("padding", "twice"), [("valid", False), ("valid", True), ("same", False)])
@pytest.mark.parametrize("pads", [((1, 1), (1, 1)), ((0, 1), (1, 0)), ((1, 0), (0, 0))])
def test_zeros_around_what_is_pooled_are_left_to_the_pooling(
    pads: tuple[tuple[int, int], ...], padding: Padding, twice: bool
) -> None:
    graph = padded_pool(pads, padding, twice)
    folded = fold_padding_into_max_pool(graph, DEFAULT)
    assert not any(isinstance(node.layer, ZeroPad) for node in folded.nodes)
    x = samples(graph, 5, -1.0, 1.0)
    np.testing.assert_array_equal(output(folded, x), output(graph, x))
    assert fold_padding_into_max_pool(folded, DEFAULT) is folded
    # the window of nine is split where a neuron holds fewer
    np.testing.assert_array_equal(output(split_max_pools(folded, 3), x), output(graph, x))


def test_zeros_stay_where_they_can_be_the_maximum_or_others_read_them() -> None:
    b = Build("negative", (6, 6, 2))
    negative = b.graph(b.classify(b.max_pool(b.add(ZeroPad(((1, 1), (1, 1))), b.conv("input", 3)))))
    b = Build("tapped", (6, 6, 2))
    padded = b.add(ZeroPad(((1, 1), (1, 1))), b.relu(b.conv("input", 3)))
    tapped = b.graph(b.classify(b.add(Add(), b.max_pool(padded), b.conv(padded, 3, strides=(2, 2)))))
    # a window of zeros alone has a maximum of zero, and one of padding alone has none
    for graph in (negative, tapped, padded_pool(((3, 0), (0, 0))), padded_pool(((0, 0), (1, 4)))):
        assert fold_padding_into_max_pool(graph, DEFAULT) is graph


@pytest.mark.parametrize("method", leading(["data-norm", "few-spike", "ttfs", "burst"]))
def test_a_padded_max_pooling_is_converted(method: str) -> None:
    graph = padded_pool(((1, 1), (1, 1)))
    x = samples(graph, 20)
    options: dict[str, Any] = {"calibration": x, "timesteps": 8, "converter": CONVERTERS.get(method)()}
    found = kgenn.convert(graph, allow=("max-pool", "zero-padding"), **options)
    (pool,) = (p for p in found.populations if p.maximum and p.shape[:2] == (3, 4))
    assert pool.shape == (3, 4, 4)
    reference, generated = (kgenn.compile(found, target).evaluate(x) for target in ("reference", "cpu"))
    np.testing.assert_array_equal(reference.scores, generated.scores)


@pytest.mark.parametrize("name", ["max_pool_add", "max_pool_concat"])
def test_sums_and_concatenations_get_a_population_before_they_are_pooled(name: str) -> None:
    graph = place_max_pool_sources(build(name), DEFAULT)
    (pool,) = pools(graph)
    assert pool.inputs == (f"{pool.name}/source",)
    assert isinstance(graph.by_name[pool.inputs[0]].layer, ReLU)
    x = samples(graph, 5, -1.0, 1.0)
    np.testing.assert_array_equal(output(graph, x), output(build(name), x))


def test_values_that_can_be_negative_get_no_population_here() -> None:
    b = Build("negative", (6, 6, 2))
    graph = b.graph(b.classify(b.max_pool(b.conv("input", 3))))
    after = place_max_pool_sources(graph, DEFAULT)
    assert graph_text(after) == graph_text(graph)


@pytest.mark.parametrize("name", POOLED)
def test_every_pool_of_a_lowered_graph_reads_a_population(name: str) -> None:
    graph = lower(build(name), DEFAULT)
    for pool in pools(graph):
        assert isinstance(graph.by_name[pool.inputs[0]].layer, ReLU | MaxPool)


def pool_graph(layer: MaxPool, shape: tuple[int, ...]) -> Graph:
    nodes = (Node("input", Input(shape), ()), Node("pool", layer, ("input",), "pool (MaxPooling2D)"))
    return Graph("pool", nodes, (Output("pool", "pool"),))


def assert_split(layer: MaxPool, shape: tuple[int, ...], limit: int) -> Graph:
    """Fail where splitting changes a value, leaves a large window, or does more when repeated."""
    graph = pool_graph(layer, shape)
    split = split_max_pools(graph, limit)
    for node in pools(split):
        assert isinstance(node.layer, MaxPool)
        assert prod(node.layer.size) <= limit
        assert node.origin == "pool (MaxPooling2D)"
    # all negative, so that a window beside padding must not see zeros
    x = np.random.default_rng(sum(shape)).uniform(-2, -1, (3, *shape)).astype(np.float32)
    assert split.shapes[split.ends[0]] == graph.shapes["pool"]
    np.testing.assert_array_equal(output(split, x), output(graph, x))
    assert graph_text(split_max_pools(split, limit)) == graph_text(split)
    return split


@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(1, 6),
    st.integers(1, 6),
    st.integers(0, 9),
    st.integers(2, 24),
)
def test_split_windows_are_small_and_give_the_same_values(
    height: int, width: int, down: int, right: int, more: int, limit: int
) -> None:
    shape = (height + more, width + more // 2, 2)
    assert_split(MaxPool((height, width), (down, right), "valid"), shape, limit)


@given(st.integers(2, 6), st.integers(1, 4), st.integers(2, 24))
def test_windows_that_do_not_overlap_are_split_by_divisors(side: int, count: int, limit: int) -> None:
    layer = MaxPool((side, side), (side, side), "valid")
    assert_split(layer, (side * count, side * count, 2), limit)


@given(st.integers(1, 24), st.integers(1, 9), st.integers(0, 30), st.integers(2, 24))
def test_windows_of_one_dimension_are_split_too(size: int, stride: int, more: int, limit: int) -> None:
    assert_split(MaxPool((size,), (stride,), "valid"), (size + more, 3), limit)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(1, 4), st.integers(2, 24))
def test_padded_windows_are_split_along_their_axes(
    height: int, width: int, down: int, right: int, limit: int
) -> None:
    assume(max(height, width) <= limit)
    assert_split(MaxPool((height, width), (down, right), "same"), (11, 10, 2), limit)


def test_a_padded_window_too_long_for_one_axis_is_split_too() -> None:
    split = assert_split(MaxPool((1, 10), (1, 2), "same"), (4, 12, 1), 9)
    assert len(pools(split)) == 2


def test_the_last_part_of_a_split_has_the_name_of_the_whole() -> None:
    split = assert_split(MaxPool((5, 6), (5, 6), "valid"), (5, 6, 5), 24)
    assert split.ends == ("pool",)
    assert [node.name for node in pools(split)] == ["pool/0", "pool"]


def transposed_before_pool(b: Build) -> str:
    return b.max_pool(b.add(Permute((1, 0, 2)), b.relu(b.conv("input", 3))))


def relus_around_transposed_pool(b: Build) -> str:
    return b.max_pool(b.relu(transposed_before_pool(b)))


@pytest.mark.parametrize("recipe", [transposed_before_pool, relus_around_transposed_pool])
def test_lowering_twice_places_no_other_population_beside_a_transposition(recipe: Callable[[Build], str]) -> None:
    b = Build("transposed", (6, 5, 2))
    graph = b.graph(b.classify(recipe(b)))
    once = lower(graph, DEFAULT)
    assert graph_text(lower(once, DEFAULT)) == graph_text(once)
    x = samples(graph, 4, -1.0, 1.0)
    np.testing.assert_allclose(output(once, x), output(graph, x), rtol=1e-5)
