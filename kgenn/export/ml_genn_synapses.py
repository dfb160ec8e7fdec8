"""Which connectivity of mlGeNN a connection becomes; the program lists its synapses where none is the same map."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from kgenn.backends.genn_connections import axes_of, geometry, sums, sums_of
from kgenn.ir.connectivity import Connectivity, Convolution, DenseConnectivity, OneToOne, Sparse
from kgenn.ir.graph import Array, Shape
from kgenn.ir.network import Connection, Population
from kgenn.ir.spike_sums import Resampling, SumPool
from kgenn.ir.windows import Padding, pads_of, window_counts


@dataclass(frozen=True, eq=False)
class Expression:
    """The Python expression that makes a connectivity.

    Attributes:
        source: the call, less the argument `delay` and the closing bracket.
        arrays: what the call reads, by name.
        listed: the parts of `python/synapses.py.j2` that the call needs.
    """

    source: str
    arrays: dict[str, Array]
    listed: frozenset[str] = frozenset()


def shape_of(population: Population) -> Shape:
    """Return a population's shape in mlGeNN, which knows images and flat layers."""
    return (1, *population.shape) if len(population.shape) == 2 else population.shape


def connectivity(name: str, connection: Connection, source: Population, target: Population) -> Expression:
    """Return the expression of a connection's connectivity, whose arrays have the connection's name."""
    shape, end = shape_of(source), shape_of(target)
    return _own(name, connection, shape, end) or synapses(name, connection)


def synapses(name: str, connection: Connection) -> Expression:
    """Return the expression that lists the synapses of any connection.

    Args:
        name: of the array of weights.
    """
    source, arrays, listed = _listing(name, connection.connectivity)
    pool = connection.pool
    if pool is not None:
        source = f"after_{sums(connection)}({source}, {sums_of(connection, name, 'arrays')})"
        listed |= {sums(connection)}
        if isinstance(pool, Resampling):
            arrays |= axes_of(pool, name)
        if pool.overlapping:
            source = f"without_duplicates({source}, {connection.connectivity.num_targets})"
            listed |= {"overlap"}
    return Expression(f"Synapses({source}", arrays, frozenset(listed))


def _own(name: str, connection: Connection, shape: Shape, end: Shape) -> Expression | None:
    """Return the expression of mlGeNN's own connectivity that is the same map, if there is one.

    Args:
        shape, end: of the source and of the target.
    """
    kind, pool = connection.connectivity, connection.pool
    assert pool is None or isinstance(pool, Resampling | SumPool)
    if isinstance(pool, Resampling):
        return None
    if pool is not None and (pool.in_shape != shape or not _tiles(pool)):
        return None
    area = np.float32(1 if pool is None else prod(pool.size))
    # mlGeNN divides the weights of its pooling connectivities by the window's area
    weights = kind.weights.astype(np.float32)
    stored = weights * area
    if not np.array_equal(stored / area, weights):
        return None
    read, arrays = f'arrays["{name}"]', {name: stored}
    stage = "" if pool is None else f"pool_size={pool.size}, pool_strides={pool.strides}, "
    match kind:
        case Convolution() if kind.out_shape == end and (pool is not None or kind.in_shape == shape):
            padding = padding_of(kind)
            if not padding:
                return None
            size = f"conv_size={kind.weights.shape[:2]}, conv_padding={padding!r}"
            word, parts = ("Convolution", []) if pool is None else ("PooledConvolution", ["pool"])
            source = f"{word}({read}, filters={kind.out_shape[2]}, {stage}{size}"
            return Expression(source, arrays, frozenset(["convolution", *parts]))
        case DenseConnectivity() if len(end) == 1:
            # mlGeNN's Dense takes flat layers only; windows of 1 x 1 make no difference
            images = f"AvgPoolDense2D({read}, {stage or 'pool_size=(1, 1), '}".removesuffix(", ")
            return Expression(f"Dense({read}" if len(shape) == 1 else images, arrays)
        case OneToOne() if pool is None and shape == end:
            return Expression(f"OneToOne({read}", arrays)
    return None


def _listing(name: str, kind: Connectivity) -> tuple[str, dict[str, Array], set[str]]:
    """Return the expression that lists the synapses of one kind, what it reads, and the part it needs."""
    read, arrays = f'arrays["{name}"]', {name: kind.weights.astype(np.float32)}
    match kind:
        case DenseConnectivity():
            return f"dense_synapses({read})", arrays, {"dense"}
        case OneToOne():
            return f"one_to_one_synapses({read})", arrays, {"one-to-one"}
        case Sparse():
            arrays |= {f"{name}.target": kind.indices, f"{name}.fan_out": kind.fan_out()}
            more = f'arrays["{name}.target"], arrays["{name}.fan_out"]'
            return f"sparse_synapses({read}, {more})", arrays, {"sparse"}
        case Convolution():
            return f"convolution_synapses({read}, {geometry(kind)})", arrays, {"convolution"}
    raise AssertionError(f"no mlGeNN for {type(kind).__name__}")


def padding_of(conv: Convolution) -> str:
    """Return mlGeNN's word for a convolution's padding, or nothing where mlGeNN lacks that convolution.

    GeNN's Toeplitz diagonals have strides of 1 and put even kernels with padding half a pixel off, and mlGeNN
    leaves it to the compiler's options whether they are used.
    """
    if conv.groups > 1 or conv.dilation != (1, 1) or conv.strides != (1, 1):
        return ""
    kernel = conv.weights.shape[:2]
    words: tuple[Padding, ...] = ("valid", "same")
    for word in words:
        pads = pads_of(word, conv.in_shape[:2], kernel, conv.strides, conv.dilation)
        if conv.pads != pads or any(low != high for low, high in pads):
            continue
        if conv.out_shape[:2] == window_counts(conv.in_shape[:2], kernel, conv.strides, conv.dilation, pads):
            return word
    return ""


def _tiles(pool: SumPool) -> bool:
    """Tell whether windows neither overlap nor leave a rest, which GeNN's Toeplitz diagonals would count."""
    covered = all(pool.in_shape[axis] <= pool.out_shape[axis] * pool.strides[axis] for axis in range(2))
    return covered and not pool.overlapping
