"""A network's connections are the graph's own linear maps, whatever chain of layers they came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import numpy as np
import pytest

from kgenn.conversion.compose import compose, structured
from kgenn.conversion.data_norm import DataNorm
from kgenn.conversion.incoming import incoming
from kgenn.conversion.paths import Path, constant_of, paths_into, weights_into
from kgenn.diagnostics import KgennError
from kgenn.ir.connectivity import Connectivity, Convolution, DenseConnectivity, OneToOne, Sparse
from kgenn.ir.graph import Array, Graph, Input, Layer, Shape
from kgenn.ir.network import Connection, ReadoutKind
from kgenn.ir.spike_sums import Resampling, SumPool
from kgenn.layers.activation import Softmax
from kgenn.layers.conv import Conv
from kgenn.layers.dense import Dense
from kgenn.layers.pointwise import Pointwise
from kgenn.layers.pooling import AveragePool, MaxPool
from kgenn.layers.populations import is_population
from kgenn.layers.shape import AxisPad, Permute, Reshape
from kgenn.passes import LoweringOptions, lower
from kgenn.passes.readout import fit_readout
from looped import looped
from networks import RECIPES, Build, build, samples

pytestmark = pytest.mark.quick

LOWERINGS = {
    "default": LoweringOptions(),
    "fold": LoweringOptions(pooling="fold"),
    "populations": LoweringOptions(residual="identity", pooling="population"),
}


def lowered(name: str, lowering: str = "default", readout: ReadoutKind = "current") -> Graph:
    return fit_readout(lower(build(name), LOWERINGS[lowering]), readout)


def ends(graph: Graph) -> Iterator[tuple[str, str]]:
    """Yield (population, the node whose value its neurons integrate) for every population that integrates."""
    for node in graph.nodes:
        if is_population(node) and not isinstance(node.layer, Input | MaxPool):
            yield node.name, node.inputs[0]
    (output,) = graph.ends
    if not is_population(graph.by_name[output]):
        yield output, output


def connections_into(graph: Graph, end: str) -> list[Connection]:
    return [
        Connection(path.source, end, connectivity, pool)
        for path in paths_into(graph, end)
        for pool, connectivity in [compose(path, end)]
    ]


@pytest.mark.parametrize("lowering", LOWERINGS)
@looped("name", RECIPES)
def test_connections_and_constant_give_what_the_graph_computes(name: str, lowering: str) -> None:
    graph = lowered(name, lowering)
    activations = dict(graph.forward(samples(graph, 5, -1.0, 1.0).astype(np.float64)))
    for _, end in ends(graph):
        expected = activations[end].reshape(5, -1)
        total = np.broadcast_to(constant_of(graph, end).ravel(), expected.shape).copy()
        for connection in connections_into(graph, end):
            total += connection.apply(activations[connection.source].reshape(5, -1))
        np.testing.assert_allclose(total, expected, rtol=0, atol=1e-9 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("channelwise", [False, True])
@looped("name", RECIPES)
def test_scaled_connections_give_the_activation_in_units_of_its_scale(name: str, channelwise: bool) -> None:
    graph = lowered(name)
    x = samples(graph, 12)
    scales = {graph.inputs[0]: np.ones(()), **DataNorm(channelwise=channelwise).scales(graph, x)}
    for node in graph.nodes:
        if isinstance(node.layer, MaxPool):
            scales[node.name] = scales[node.inputs[0]]
    activations = dict(graph.forward(x.astype(np.float64)))
    scale_of = {n: np.broadcast_to(scales[n], graph.shapes[n]).ravel() for n in scales}
    flat = {n: activations[n].reshape(12, -1) / scale_of[n] for n in scales}
    sources = {name.removesuffix("/relu"): value for name, value in flat.items()}
    for population, end in ends(graph):
        scale = scale_of.get(population, np.ones(()))
        coming = incoming(graph, scales, end, population, None).in_thresholds(scale)
        expected = activations[end].reshape(12, -1) / scale
        total = np.tile(coming.bias, (12, 1))
        for c in coming.connections:
            total += c.apply(sources[c.source])
        np.testing.assert_allclose(total, expected, rtol=0, atol=1e-5 * max(1, np.abs(expected).max()))


def matrix_of(connectivity: Connectivity) -> Array:
    """Return the weight of each pair of neurons, from the response to each unit vector; all weights made 1."""
    ones = connectivity.with_weights(np.ones(connectivity.weights.shape))
    return ones.apply(np.eye(connectivity.num_sources))


@looped("name", RECIPES)
def test_fan_out_counts_the_entries_of_the_matrix(name: str) -> None:
    graph = lowered(name)
    for _, end in ends(graph):
        for connection in connections_into(graph, end):
            inner = matrix_of(connection.connectivity)
            assert set(np.unique(inner)) <= {0.0, 1.0}
            synapses = (inner != 0).sum(axis=1)
            assert connection.connectivity.num_synapses == synapses.sum()
            if connection.pool is not None:
                size = int(np.prod(connection.pool.in_shape))
                synapses = (connection.pool.apply(np.eye(size)) != 0).astype(np.int64) @ synapses
            assert np.array_equal(connection.fan_out(), synapses)


@looped("name", RECIPES)
def test_magnitude_is_the_sum_of_absolute_weights_in_the_matrix(name: str) -> None:
    graph = lowered(name)
    for _, end in ends(graph):
        for c in connections_into(graph, end):
            matrix = c.connectivity.apply(np.eye(c.connectivity.num_sources))
            if c.pool is not None:
                matrix = c.pool.apply(np.eye(int(np.prod(c.pool.in_shape)))) @ np.abs(matrix)
            np.testing.assert_allclose(c.magnitude(), np.abs(matrix).sum(axis=0), atol=1e-9)


CONV, DENSE, ONE, SPARSE = Convolution, DenseConnectivity, OneToOne, Sparse
# the connections of each network in order; (kind, SumPool) where spikes are summed on the way
KINDS: dict[str, list[type | tuple[type, type]]] = {
    "dense_on_channels": [CONV, DENSE],
    "separable": [CONV, CONV, DENSE],
    "separable_strided": [CONV, DENSE],
    "conv1d_pool": [CONV, (CONV, SumPool), DENSE],
    "pool_conv_strided": [CONV, (CONV, SumPool), DENSE],
    "pool_dense": [CONV, (DENSE, SumPool)],
    "pool_pool": [CONV, (DENSE, SumPool)],
    "pool_add": [CONV, (ONE, SumPool), CONV, DENSE],
    "pool_input": [(CONV, SumPool), DENSE],
    "pool_valid_odd": [CONV, (CONV, SumPool), DENSE],
    "global_pool": [CONV, (ONE, SumPool), DENSE],
    "residual_relu": [CONV, CONV, ONE, CONV, DENSE],
    "residual_shortcut": [CONV, CONV, CONV, CONV, DENSE],
    "residual_input": [CONV, ONE, CONV, DENSE],
    "concat_conv": [CONV, CONV, CONV, CONV, DENSE],
    "concat_pool_conv": [CONV, CONV, (CONV, SumPool), (CONV, SumPool), DENSE],
    "concat_dense": [CONV, CONV, DENSE, DENSE],
    "dense_block": [CONV] * 9 + [(CONV, SumPool)] * 6 + [CONV] + [DENSE] * 2,
    "conv_pool_relu": [CONV, (CONV, SumPool), CONV, DENSE],
    "batch_norm_after_pool": [CONV, (CONV, SumPool), DENSE],
    "batch_norm_after_add": [CONV, ONE, CONV, DENSE],
    "batch_norm_before_conv_same": [CONV, CONV, DENSE],
    "channels_first": [CONV, (DENSE, SumPool)],
    "zero_padding": [CONV, CONV, DENSE],
    "zero_padding_1d": [CONV, CONV, DENSE],
    "pool_same_odd": [CONV, (CONV, Resampling), DENSE],
    "pool_overlapping_pool": [CONV, (CONV, Resampling), DENSE],
    "pool_same_strided": [CONV, (CONV, Resampling), DENSE],
    "pool_same_dense": [CONV, (DENSE, Resampling)],
    "pool_same_add": [CONV, ONE, (ONE, Resampling), DENSE],
    "pool_same_twice": [CONV, (CONV, Resampling), DENSE],
    "upsample_conv": [CONV, (CONV, Resampling), DENSE],
    "upsample_bilinear_conv": [CONV, (CONV, Resampling), DENSE],
    "upsample_scores": [CONV, (CONV, Resampling)],
    "upsample_pad_conv": [CONV, (CONV, Resampling), DENSE],
    "upsample_1d": [CONV, (CONV, Resampling), DENSE],
    "upsample_input": [(CONV, Resampling), DENSE],
    "upsample_dense": [CONV, (DENSE, Resampling)],
    "upsample_pool_crop": [CONV, (CONV, Resampling), DENSE],
    "crop_conv": [CONV, (CONV, Resampling), DENSE],
    "crop_1d_dense": [CONV, (DENSE, Resampling)],
    "transposed_conv": [CONV, (CONV, Resampling), CONV, DENSE],
    "transposed_1d": [CONV, (CONV, Resampling), (CONV, Resampling), DENSE],
    "unet": [
        *(CONV, (CONV, SumPool), (CONV, SumPool)),
        *((CONV, Resampling), CONV, CONV, CONV, (CONV, Resampling), CONV),
    ],
    # no structure that kgenn knows
    "conv_conv": [SPARSE, DENSE],
    "concat_grouped_conv": [CONV, CONV, CONV, CONV, DENSE],
    "batch_norm_after_flatten": [SPARSE, DENSE],
}


@pytest.mark.parametrize("name", KINDS)
def test_chains_that_trained_networks_have_keep_their_structure(name: str) -> None:
    graph = lowered(name)
    found: list[type | tuple[type, type]] = []
    for _, end in ends(graph):
        for c in connections_into(graph, end):
            found.append(type(c.connectivity) if c.pool is None else (type(c.connectivity), type(c.pool)))
    assert found == KINDS[name]


def test_a_layer_that_is_not_linear_is_refused_by_name() -> None:
    b = Build("odd", (4, 4, 2))
    graph = b.graph(b.relu(b.add(Softmax(), "input")))
    with pytest.raises(
        KgennError, match=r"(?s)KG301.*softmax_1 \(Softmax\).*not linear.*help: build the model with"
    ):
        paths_into(graph, graph.by_name["relu_2"].inputs[0])


def test_weights_into_a_population_are_those_back_to_the_populations_before_it() -> None:
    graph = lowered("residual_shortcut")
    found = weights_into(graph, graph.by_name["relu_8"].inputs[0])
    assert {graph.by_name[n].layer.kernel.shape for n in found} == {(3, 3, 6, 6), (1, 1, 4, 6)}  # type: ignore[attr-defined]
    assert all(isinstance(graph.by_name[n].layer, Conv) for n in found)


@pytest.mark.parametrize("readout", get_args(ReadoutKind))
@pytest.mark.parametrize("name", ["dense", "relu_output", "global_pool_output", "softmax"])
def test_the_readout_is_a_relu_exactly_where_spikes_are_counted(name: str, readout: ReadoutKind) -> None:
    graph = lowered(name, readout=readout)
    (output,) = graph.ends
    assert is_population(graph.by_name[output]) == (readout == "spike-count")


def kernel(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


# a convolution between poolings: (shape of the source, layers)
POOLED: dict[str, tuple[Shape, tuple[Layer, ...]]] = {
    "depthwise": (
        (6, 7, 3),
        (Conv(kernel(3, 2, 1, 6), None, (1, 1), "same", (1, 1), 3), AveragePool((2, 3), (1, 2), "valid")),
    ),
    "one dimension": (
        (11, 2),
        (Conv(kernel(4, 2, 3), None, (2,), "same", (1,)), AveragePool((3,), (1,), "valid")),
    ),
    "pooled before": (
        (9, 8, 2),
        (
            AveragePool((2, 2), (2, 2), "valid"),
            Conv(kernel(3, 3, 2, 3), None, (1, 1), "same", (1, 1)),
            AveragePool((2, 2), (2, 2), "valid"),
        ),
    ),
    "pooled before single pixels": (
        (9, 8, 2),
        (
            AveragePool((2, 2), (2, 2), "valid"),
            Conv(kernel(1, 1, 2, 3), None, (1, 1), "same", (1, 1)),
            AveragePool((2, 2), (1, 1), "valid"),
        ),
    ),
}


@pytest.mark.parametrize("name", POOLED)
def test_a_pooled_convolution_is_one_with_a_larger_kernel(name: str) -> None:
    shape, layers = POOLED[name]
    pool, connectivity = compose(Path("source", shape, layers), "here")
    assert isinstance(connectivity, Convolution)
    x = np.random.default_rng(3).normal(size=(4, *shape))
    expected = x
    for layer in layers:
        expected = layer.forward(expected)
    flat = x.reshape(4, -1)
    found = connectivity.apply(flat if pool is None else pool.apply(flat))
    np.testing.assert_allclose(found, expected.reshape(4, -1), atol=1e-9)


def chain_of(shape: Shape, *layers: Layer) -> Path:
    return Path("source", shape, layers)


def shuffle(height: int, groups: int, per_group: int) -> tuple[Layer, ...]:
    """Return the layers with which a ShuffleNet mixes the channels of groups."""
    split = Reshape((height, height, groups, per_group))
    return split, Permute((0, 1, 3, 2)), Reshape((height, height, groups * per_group))


KERNEL = np.random.default_rng(0).normal(size=(3, 3, 6, 5)).astype(np.float32)
CONV = Conv(KERNEL, None, (2, 2), "same", (1, 1))
GATHER = Pointwise(np.random.default_rng(1).normal(size=(6, 3, 1)).astype(np.float32))
SPREAD = Pointwise(np.random.default_rng(2).normal(size=(5, 1, 4)).astype(np.float32))
MIX = Pointwise(np.random.default_rng(3).normal(size=(1, 5, 4)).astype(np.float32))
DENSE = Dense(np.random.default_rng(4).normal(size=(6, 5)).astype(np.float32), None)
STRUCTURED = {
    "shuffle, conv": chain_of((4, 4, 6), *shuffle(4, 2, 3), CONV),
    "shuffle, pool, conv": chain_of((8, 8, 6), *shuffle(8, 3, 2), AveragePool((2, 2), (2, 2), "valid"), CONV),
    "gather, conv": chain_of((4, 4, 18), GATHER, CONV),
    "gather, conv, spread": chain_of((4, 4, 18), GATHER, CONV, SPREAD),
    "conv, mix": chain_of((4, 4, 6), CONV, MIX),
    "gather alone": chain_of((3, 3, 18), GATHER),
    "gather, spread": chain_of((3, 3, 15), Pointwise(GATHER.kernel[:5]), SPREAD),
    "gather a vector, dense, spread": chain_of((18,), GATHER, DENSE, SPREAD),
    "spread a vector": chain_of((5,), SPREAD),
    "slot, gather, conv": chain_of((4, 4, 7), AxisPad(4, 18, -1), GATHER, CONV),
}


@pytest.mark.parametrize("path", STRUCTURED.values(), ids=STRUCTURED.keys())
def test_channels_that_move_and_mix_keep_their_structure(path: Path) -> None:
    found = structured(path)
    assert found is not None
    pool, connectivity = found
    assert not isinstance(connectivity, Sparse)
    x = np.random.default_rng(5).normal(size=(7, *path.shape))
    expected = x
    for layer in path.layers:
        expected = layer.forward(expected)
    arriving = x.reshape(7, -1) if pool is None else pool.apply(x.reshape(7, -1))
    np.testing.assert_allclose(connectivity.apply(arriving), expected.reshape(7, -1), rtol=1e-6, atol=1e-6)


def test_a_vector_as_an_image_of_channels_is_probed_since_its_values_have_scales_of_their_own() -> None:
    assert structured(chain_of((54,), Reshape((3, 3, 6)), CONV)) is None
