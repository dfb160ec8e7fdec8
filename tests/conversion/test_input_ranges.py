"""Input channels of very different sizes: each keeps its precision, and the function stays the model's."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from kgenn.agreement import agreement_of
from kgenn.conversion.assembly import input_transform
from kgenn.conversion.base import Converter
from kgenn.conversion.calibrated import Calibrated
from kgenn.conversion.convert import Conversion, convert_graph
from kgenn.conversion.data_norm import DataNorm
from kgenn.conversion.few_spike import FewSpike
from kgenn.conversion.input_ranges import ROOM, input_ranges, with_input_ranges
from kgenn.conversion.recipe import recipe_of
from kgenn.diagnostics import KgennError
from kgenn.encoders.base import Encoder
from kgenn.encoders.direct import Direct
from kgenn.encoders.poisson import Poisson
from kgenn.ir.graph import Array, Graph
from kgenn.ir.network_input import InputTransform
from kgenn.layers.conv import Conv
from kgenn.layers.dense import Dense
from networks import Build, build, samples
from recordings import on_reference

# the size of each feature; powers of two, so that the rescaled model is exactly the same
SIZES = {
    "plain": [1, 1, 1, 1, 1, 1],
    "one large": [1, 1, 2.0**10, 1, 1, 1],
    "one huge": [1, 1, 1, 1, 2.0**30, 1],
    "one tiny": [1, 2.0**-20, 1, 1, 1, 1],
    "all tiny": [2.0**-20] * 6,
    "all large": [2.0**21] * 6,
    "all huge": [2.0**40] * 6,
    "as float32 ends": [2.0**100] * 5 + [2.0**120],
    "all": [2.0**-15, 2.0**20, 1, 2.0**4, 2.0**-22, 2.0**9],
}
METHODS: list[tuple[Converter, int]] = [(DataNorm(), 64), (FewSpike(), 8), (Calibrated(), 8)]
X = np.random.default_rng(3).uniform(-1, 1, (200, 6)).astype(np.float32)
IMAGES = np.random.default_rng(4).uniform(0, 1, (100, 6, 6, 2)).astype(np.float32)


def table(sizes: Array) -> tuple[Graph, Array]:
    """Return a network for features of these sizes, the same for all after division by them, and samples."""
    b = Build("table", (6,))
    graph = b.graph(b.dense(b.relu(b.dense("input", 10)), 3))
    nodes = list(graph.nodes)
    assert isinstance(nodes[1].layer, Dense)
    kernel = (nodes[1].layer.kernel / sizes[:, None]).astype(np.float32)
    nodes[1] = replace(nodes[1], layer=replace(nodes[1].layer, kernel=kernel))
    return replace(graph, nodes=tuple(nodes)), (X * sizes).astype(np.float32)


def error(graph: Graph, x: Array, converter: Converter, timesteps: int) -> float:
    """Return the error of the outputs on the last 40 samples, the others having set the scales."""
    made: Conversion = convert_graph(graph, recipe_of(converter), x[:-40], timesteps, on_reference)
    found = agreement_of(made.network, made.lowered, x[-40:], True, on_reference)
    assert found is not None
    return found.error


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES.keys())
@pytest.mark.parametrize(("converter", "timesteps"), METHODS, ids=str)
def test_no_feature_spoils_the_precision_of_another(
    converter: Converter, timesteps: int, sizes: list[float]
) -> None:
    plain = error(*table(np.ones(6)), converter, timesteps)
    assert error(*table(np.array(sizes)), converter, timesteps) < 1.25 * plain + 0.005


@pytest.mark.parametrize(("converter", "timesteps"), METHODS, ids=str)
def test_channels_of_images_too(converter: Converter, timesteps: int) -> None:
    def images(size: float) -> tuple[Graph, Array]:
        b = Build("channels", (6, 6, 2))
        graph = b.graph(b.dense(b.global_pool(b.conv_relu("input", 5)), 3))
        nodes, factors = list(graph.nodes), np.array([size, 1])
        assert isinstance(nodes[1].layer, Conv)
        kernel = (nodes[1].layer.kernel / factors[:, None]).astype(np.float32)
        nodes[1] = replace(nodes[1], layer=replace(nodes[1].layer, kernel=kernel))
        return replace(graph, nodes=tuple(nodes)), (IMAGES * factors).astype(np.float32)

    assert error(*images(2.0**12), converter, timesteps) < 1.25 * error(*images(1.0), converter, timesteps) + 0.005


def ranges_of(graph: Graph, x: Array, encoder: Encoder) -> dict[str, Array]:
    """Return the ranges of a graph's only input, by its name."""
    return input_ranges(graph, graph.samples(x), {"input": encoder})


def test_ranges_leave_what_a_graph_computes() -> None:
    graph, x = table(np.array(SIZES["all"]))
    found = ranges_of(graph, x, Direct())
    ranges = found["input"]
    assert (ranges != 1).sum() >= 4
    assert (np.log2(ranges) % 1 == 0).all()
    ranged = with_input_ranges(graph, found)
    assert np.array_equal(np.asarray(ranged.predict(x)), np.asarray(graph.predict(x)))
    assert len(ranged.notes) == len(graph.notes) + 1


@pytest.mark.parametrize("name", ["conv_same", "dense", "rescaling", "normalization"])
def test_ordinary_inputs_and_spiking_ones_are_left_alone(name: str) -> None:
    graph = build(name)
    x = samples(graph, 20)
    assert with_input_ranges(graph, ranges_of(graph, x, Direct())) is graph
    assert (ranges_of(graph, 1e6 * x, Poisson())["input"] == 1).all()


def test_the_border_of_images_is_no_tiny_feature() -> None:
    graph = build("dense")
    x = samples(graph, 200)
    x[:, 0] = 0
    x[5, 0] = 1e-6
    assert (ranges_of(graph, x, Direct())["input"] == 1).all()


@pytest.mark.parametrize("name", [name for name in SIZES if name != "plain"])
@pytest.mark.parametrize("signed", [True, False])
def test_each_feature_has_room_for_samples_beyond_the_calibration_data(name: str, signed: bool) -> None:
    graph, x = table(np.array(SIZES[name]))
    x = x if signed else np.abs(x)
    transform = input_transform(with_input_ranges(graph, ranges_of(graph, x, Direct())).input_layers["input"])
    coding = Direct().coding(transform.apply(x), 8)
    beyond = np.repeat(x[:1], 6, axis=0)
    np.fill_diagonal(beyond, ROOM * np.abs(x).max(axis=0))
    for sign in (1, -1) if signed else (1,):
        coding.drive(transform.apply(sign * beyond))
    outside = 4 * ROOM * beyond
    own = f"values from {outside.min():g} to {outside.max():g}"
    with pytest.raises(KgennError, match=rf"KG603.*{re.escape(own)}"):
        coding.drive(transform.apply(outside), made=(transform, outside))


def test_values_out_of_range_are_told_in_the_units_of_the_samples() -> None:
    transform = InputTransform((0,), np.full(1, 1 / 255), np.full(1, -0.5))
    x = np.array([[0.0, 128.0], [300.0, 10.0]], np.float32)
    coding = Poisson().coding(np.zeros((1, 2)), 8)
    with pytest.raises(KgennError, match=r"KG603.*takes 127\.5 to 382\.5, but .* from 0 to 300\n"):
        coding.drive(transform.apply(x), made=(transform, x))
