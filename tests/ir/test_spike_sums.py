"""A resampling is the product of its axes' matrices, chains of them one matrix, and forged ones are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgenn.ir.axis_map import AxisMap, axis_map, identity, sliding
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from kgenn.ir.spike_sums import Resampling, SpikeSums, SumPool
from kgenn.ir.validate import check_network
from recordings import converted


@st.composite
def axis_maps(draw: st.DrawFn, size: int) -> AxisMap:
    """Draw a map from an axis of a size, of any start, with some factors of 0."""
    width, positions = draw(st.integers(1, size)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    taps = rng.integers(0, 4, (positions, width)) * rng.integers(0, 2, (positions, width))
    return AxisMap(rng.integers(0, size - width + 1, positions).astype(np.int32), taps.astype(np.int32))


@st.composite
def resamplings(draw: st.DrawFn) -> Resampling:
    height, width, channels = (draw(st.integers(1, 5)) for _ in range(3))
    rows, columns = draw(axis_maps(height)), draw(axis_maps(width))
    out = (rows.positions, columns.positions, channels)
    return Resampling((height, width, channels), out, rows, columns)


def matrix_of(line: AxisMap, size: int) -> Array:
    matrix = np.zeros((line.positions, size), np.int64)
    for position, start in enumerate(line.start):
        for k, tap in enumerate(line.taps[position]):
            matrix[position, start + k] += tap
    return matrix


def whole_matrix_of(stage: SpikeSums) -> Array:
    """Return how often each sum counts each source, shape (sums, sources)."""
    lines = (matrix_of(stage.axis(axis), stage.in_shape[axis]) for axis in (0, 1))
    return np.kron(np.kron(*lines), np.eye(stage.in_shape[2], dtype=np.int64))


@given(resamplings())
def test_a_resampling_is_the_product_of_its_axes(stage: Resampling) -> None:
    matrix = whole_matrix_of(stage)
    x = np.random.default_rng(1).integers(-9, 9, (3, matrix.shape[1])).astype(np.float32)
    assert np.array_equal(stage.apply(x), x @ matrix.T)
    assert stage.apply(x).dtype == np.float32
    after = np.arange(1, len(matrix) + 1)
    assert np.array_equal(stage.fan_out(after), (matrix != 0).T @ after)
    assert stage.largest == matrix.sum(axis=1).max()
    assert np.isclose(stage.amount, matrix.sum(axis=1).mean())
    assert np.isclose(stage.squares, np.square(matrix).sum(axis=1).mean())
    assert stage.overlapping == bool(((matrix != 0).sum(axis=0) > 1).any())


@given(st.data(), st.integers(1, 6))
def test_maps_one_after_the_other_are_one_map(data: st.DataObject, size: int) -> None:
    inner = data.draw(axis_maps(size))
    outer = data.draw(axis_maps(inner.positions))
    both = inner.then(outer, size)
    assert np.array_equal(matrix_of(both, size), matrix_of(outer, inner.positions) @ matrix_of(inner, size))
    assert np.array_equal(matrix_of(axis_map(both.entries(), both.positions, size), size), matrix_of(both, size))


@given(resamplings())
def test_the_simplest_form_is_the_same_map(stage: Resampling) -> None:
    plain, factor = stage.reduced()
    assert np.array_equal(whole_matrix_of(plain) * factor, whole_matrix_of(stage))
    found = plain.simplest()
    matrix = np.eye(whole_matrix_of(stage).shape[1]) if found is None else whole_matrix_of(found)
    assert np.array_equal(matrix, whole_matrix_of(plain))


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))
def test_windows_come_out_as_windows_again(size: int, stride: int, positions: int) -> None:
    length = (positions - 1) * stride + size
    lines = sliding(size, stride, positions), identity(3)
    found = Resampling((length, 3, 2), (positions, 3, 2), *lines).simplest()
    pool = SumPool((length, 3, 2), (positions, 3, 2), (size, 1), (stride, 1))
    if length == positions == 1 or (size == stride == 1):
        assert found is None
    else:
        assert isinstance(found, SumPool)
        assert np.array_equal(whole_matrix_of(found), whole_matrix_of(pool))


def forged(network: Network, **changed: Array) -> Network:
    """Return a network whose last resampling has other rows."""
    number = max(i for i, c in enumerate(network.connections) if isinstance(c.pool, Resampling))
    old = network.connections[number]
    assert isinstance(old.pool, Resampling)
    pool = replace(old.pool, rows=replace(old.pool.rows, **changed))
    connections = list(network.connections)
    connections[number] = replace(old, pool=pool)
    return replace(network, connections=tuple(connections))


def test_a_forged_map_is_refused() -> None:
    network = converted("upsample_conv")
    stage = next(c.pool for c in network.connections if isinstance(c.pool, Resampling))
    start, taps, size = stage.rows.start, stage.rows.taps, stage.in_shape[0]
    check_network(forged(network, start=start * 0 + size - 1))
    for changed in (
        {"start": start * 0 + size},
        {"start": start - 1},
        {"start": start[1:]},
        {"start": start.astype(np.float32)},
        {"start": start.astype(np.int64)},
        {"taps": -taps},
        {"taps": taps[:, 0]},
        {"taps": taps[1:]},
        {"taps": taps[:, :0]},
        {"taps": np.ones((len(taps), size + 1), np.int32)},
        {"taps": taps * (1 << 20)},
    ):
        with pytest.raises(ValueError, match=r"from outside it|more than"):
            check_network(forged(network, **changed))
