"""Connectivities against loops over pixels and taps; windows against TensorFlow's rule for padding."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgenn.ir.connectivity import Connectivity, Convolution, DenseConnectivity, OneToOne, Sparse
from kgenn.ir.graph import Array
from kgenn.ir.spike_sums import SumPool
from kgenn.ir.windows import pads_of, window_counts

pytestmark = pytest.mark.quick


@st.composite
def convolutions(draw: st.DrawFn) -> Convolution:
    """Draw a convolution of any geometry that fits."""
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    sizes = tuple(draw(st.integers(1, 6)) for _ in range(2))
    kernel = tuple(draw(st.integers(1, 4)) for _ in range(2))
    strides, dilation = (tuple(draw(st.integers(1, 3)) for _ in range(2)) for _ in range(2))
    pads = []
    for size, k, d in zip(sizes, kernel, dilation, strict=True):
        reach = (k - 1) * d + 1
        low = draw(st.integers(0, 2))
        pads.append((low, draw(st.integers(max(0, reach - size - low), max(0, reach - size - low) + 2))))
    counts = window_counts(sizes, kernel, strides, dilation, tuple(pads))
    per_group, out = draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    weights = np.random.default_rng(draw(st.integers(0, 99))).normal(size=(*kernel, per_group, out))
    in_shape, out_shape = (*sizes, groups * per_group), (*counts, out)
    return Convolution(weights, in_shape, out_shape, strides, tuple(pads), dilation, groups)


def matrix_by_loops(c: Convolution) -> Array:
    """Return the weight from each source to each target neuron, tap by tap."""
    matrix = np.zeros((*c.in_shape, *c.out_shape))
    per_group, per_out = c.weights.shape[2], c.out_shape[2] // c.groups
    for y, x, ky, kx in product(*map(range, (*c.out_shape[:2], *c.weights.shape[:2]))):
        sy = y * c.strides[0] + ky * c.dilation[0] - c.pads[0][0]
        sx = x * c.strides[1] + kx * c.dilation[1] - c.pads[1][0]
        if not (0 <= sy < c.in_shape[0] and 0 <= sx < c.in_shape[1]):
            continue
        for o, i in product(range(c.out_shape[2]), range(per_group)):
            matrix[sy, sx, o // per_out * per_group + i, y, x, o] += c.weights[ky, kx, i, o]
    return matrix.reshape(c.num_sources, c.num_targets)


@given(convolutions())
def test_a_convolution_is_its_matrix(c: Convolution) -> None:
    matrix = matrix_by_loops(c)
    np.testing.assert_allclose(c.apply(np.eye(c.num_sources)), matrix, atol=1e-12)
    assert np.array_equal(c.fan_out(), (matrix != 0).sum(axis=1))
    assert c.num_synapses == np.count_nonzero(matrix)


@given(convolutions(), st.integers(0, 99))
def test_a_convolution_scales_by_channel(c: Convolution, seed: int) -> None:
    rng = np.random.default_rng(seed)
    source = np.tile(rng.uniform(0.5, 2, c.in_shape[2]), c.num_sources // c.in_shape[2])
    target = np.tile(rng.uniform(0.5, 2, c.out_shape[2]), c.num_targets // c.out_shape[2])
    scaled = c.scaled(source, target)
    np.testing.assert_allclose(matrix_by_loops(scaled), matrix_by_loops(c) * source[:, None] * target)


def sparse_of(matrix: Array) -> Sparse:
    rows, columns = np.nonzero(matrix)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(matrix)))])
    return Sparse(matrix[rows, columns], indptr, columns.astype(np.int32), matrix.shape[1])


@given(convolutions(), st.integers(0, 99))
def test_what_a_convolution_receives_is_summed_without_going_over_its_pixels(c: Convolution, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, sent = rng.normal(size=c.weights.shape), rng.normal(size=c.in_shape[2])
    np.testing.assert_allclose(c.received(values, sent), Connectivity.received(c, values, sent), atol=1e-9)
    plane = (rng.normal(size=c.in_shape[0]), rng.normal(size=c.in_shape[1]))
    np.testing.assert_allclose(c.from_plane(plane), Connectivity.from_plane(c, plane), atol=1e-9)
    np.testing.assert_allclose(c.from_plane(None), Connectivity.from_plane(c, None), atol=1e-9)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 99))
def test_sparse_and_dense_are_the_same_map(sources: int, targets: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(sources, targets)) * (rng.random((sources, targets)) < 0.5)
    x, a, b = rng.normal(size=(3, sources)), rng.uniform(1, 2, sources), rng.uniform(1, 2, targets)
    sparse, dense = sparse_of(matrix), DenseConnectivity(matrix)
    np.testing.assert_allclose(sparse.apply(x), dense.apply(x), atol=1e-12)
    np.testing.assert_allclose(sparse.scaled(a, b).apply(x), dense.scaled(a, b).apply(x), atol=1e-12)
    assert np.array_equal(sparse.fan_out(), (matrix != 0).sum(axis=1))
    assert sparse.num_synapses == np.count_nonzero(matrix)
    assert dense.num_synapses == matrix.size


def test_one_to_one_is_a_diagonal_matrix() -> None:
    w = np.array([2.0, -1.0, 0.5])
    one = OneToOne(w)
    assert np.array_equal(one.apply(np.eye(3)), np.diag(w))
    assert np.array_equal(one.scaled(w, w).weights, w**3)
    assert one.num_synapses == one.num_targets == 3


@given(*(st.integers(1, 4) for _ in range(4)), st.integers(0, 3), st.integers(0, 3))
def test_sum_pool_adds_up_each_window(ky: int, kx: int, sy: int, sx: int, more_y: int, more_x: int) -> None:
    height, width = ky + more_y, kx + more_x
    counts = window_counts((height, width), (ky, kx), (sy, sx), (1, 1), ((0, 0), (0, 0)))
    pool = SumPool((height, width, 2), (*counts, 2), (ky, kx), (sy, sx))
    x = np.random.default_rng(1).normal(size=(3, height, width, 2))
    expected = np.zeros((3, *counts, 2))
    for y, z in product(*map(range, counts)):
        expected[:, y, z] = x[:, y * sy : y * sy + ky, z * sx : z * sx + kx].sum(axis=(1, 2))
    np.testing.assert_allclose(pool.apply(x.reshape(3, -1)), expected.reshape(3, -1))
    matrix = pool.apply(np.eye(height * width * 2))
    synapses = np.arange(1, int(np.prod(counts)) * 2 + 1)
    assert np.array_equal(pool.fan_out(synapses), matrix @ synapses)


def test_weights_of_another_shape_are_refused() -> None:
    with pytest.raises(AssertionError):
        DenseConnectivity(np.zeros((2, 3))).with_weights(np.zeros((3, 2)))


@given(*(st.integers(1, 9) for _ in range(2)), *(st.integers(1, 3) for _ in range(2)))
def test_same_padding_gives_one_output_for_each_stride(size: int, k: int, stride: int, dilation: int) -> None:
    (pads,) = pads_of("same", (size,), (k,), (stride,), (dilation,))
    assert window_counts((size,), (k,), (stride,), (dilation,), (pads,)) == (-(-size // stride),)
    # the odd zero stands at the end
    assert pads[1] - pads[0] in (0, 1)


@given(*(st.integers(1, 9) for _ in range(2)), *(st.integers(1, 3) for _ in range(2)))
def test_causal_padding_shows_an_output_only_the_past(size: int, k: int, stride: int, dilation: int) -> None:
    (pads,) = pads_of("causal", (size,), (k,), (stride,), (dilation,))
    assert pads == ((k - 1) * dilation, 0)


def test_a_window_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        window_counts((3,), (4,), (1,), (1,), ((0, 0),))


def test_a_grid_is_of_channels_where_their_powers_of_two_save_bits() -> None:
    column = np.arange(-7, 8, dtype=np.float32)[:, np.newaxis]
    for factors, bits, grid in (
        ([1, 1, 1], 4, "layer"),
        ([8, 8, 8], 4, "layer"),
        ([1, 2, 64], 4, "channel"),
        ([1, 3, 1], 6, "layer"),
        ([0, 4, 4], 4, "layer"),
        ([0, 0, 0], 1, "layer"),
    ):
        dense = DenseConnectivity(column * np.array(factors, np.float32))
        assert (dense.weight_bits, dense.weight_grid) == (bits, grid), factors
