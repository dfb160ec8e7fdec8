"""Say in a few words what sizes, ranges and connections are."""

from __future__ import annotations

from kgenn.ir.connectivity import Connectivity, Convolution, DenseConnectivity, OneToOne, Sparse
from kgenn.ir.graph import Array
from kgenn.ir.network import Connection
from kgenn.ir.spike_sums import SumPool
from kgenn.ir.words import times


def size_of(num_bytes: int) -> str:
    """Return a size in bytes, kB or MB (powers of 1000)."""
    for unit, size in (("MB", 10**6), ("kB", 10**3)):
        if num_bytes >= size:
            value = num_bytes / size
            return f"{value:.3g} {unit}" if value < 1000 else f"{value:,.0f} {unit}"
    return f"{num_bytes} B"


def span(values: Array) -> str:
    """Return one value, or the least and the largest."""
    low, high = f"{values.min():.4g}", f"{values.max():.4g}"
    return low if low == high else f"{low} to {high}"


def connection_kind(connection: Connection) -> str:
    """Return how a connection reaches its targets, such as "sum 2×2, convolution 3×3"."""
    words = _connectivity(connection.connectivity)
    if isinstance(connection.pool, SumPool):
        return f"sum {times(connection.pool.size)}, {words}"
    return words if connection.pool is None else f"resampled to {times(connection.pool.out_shape[:2])}, {words}"


def _connectivity(connectivity: Connectivity) -> str:
    if isinstance(connectivity, Convolution):
        words = f"convolution {times(connectivity.weights.shape[:2])}"
        if set(connectivity.strides) != {1}:
            words += f", strides {times(connectivity.strides)}"
        return words if connectivity.groups == 1 else f"{words}, {connectivity.groups} groups"
    names = {DenseConnectivity: "all-to-all", OneToOne: "one-to-one", Sparse: "sparse"}
    return names.get(type(connectivity), connectivity.kind.lower())
