"""Which connectivity of mlGeNN a connection becomes; a list of its synapses where none is the same map."""

from __future__ import annotations

from math import prod

import numpy as np

from kgenn.ir.connectivity import Convolution, Dense, OneToOne, SumPool
from kgenn.ir.graph import Array, Shape
from kgenn.ir.network import Connection, Population
from kgenn.ir.windows import Padding, pads_of, window_counts


def shape_of(population: Population) -> Shape:
    """Return a population's shape in mlGeNN, which knows images and flat layers."""
    return (1, *population.shape) if len(population.shape) == 2 else population.shape


def connectivity(
    number: int, connection: Connection, source: Population, target: Population, arrays: dict[str, Array]
) -> str:
    """Return the expression that makes a connection's connectivity, less its delay; add what it reads to `arrays`.

    mlGeNN divides the weights of its pooling connectivities by the window's area, so they are stored times that.
    """
    name = f"c{number}"
    kind, pool, shape = connection.connectivity, connection.pool, shape_of(source)
    arrays[name] = kind.weights.astype(np.float32) * np.float32(1 if pool is None else prod(pool.size))
    read = f'arrays["{name}"]'
    stage = "" if pool is None else f"pool_size={pool.size}, pool_strides={pool.strides}, "
    fits = pool is None or (pool.in_shape == shape and _tiles(pool))
    if isinstance(kind, Convolution) and fits and shape_of(target) == kind.out_shape and len(shape) == 3:
        padding = padding_of(kind) if pool is not None or kind.in_shape == shape else ""
        if padding:
            size = f"conv_size={kind.weights.shape[:2]}, conv_padding={padding!r}"
            word = "Conv2D" if pool is None else "AvgPoolConv2D"
            return f"{word}({read}, filters={kind.out_shape[2]}, {stage}{size}"
    if isinstance(kind, Dense) and fits and len(target.shape) == 1:
        if len(shape) == 1:
            return f"Dense({read}"
        # mlGeNN's Dense takes flat layers only; windows of 1 x 1 make no difference
        return f"AvgPoolDense2D({read}, {stage or 'pool_size=(1, 1), '}".removesuffix(", ")
    if isinstance(kind, OneToOne) and pool is None and shape == shape_of(target):
        return f"OneToOne({read}"
    before, after, weights = synapses(connection)
    arrays.update({f"{name}.before": before, f"{name}.after": after, name: weights})
    return f'Synapses(arrays["{name}.before"], arrays["{name}.after"], {read}'


def padding_of(conv: Convolution) -> str:
    """Return mlGeNN's word for a convolution's padding, or nothing where mlGeNN has not that convolution.

    GeNN's Toeplitz diagonals have strides of 1 and put even kernels with padding half a pixel off, and mlGeNN
    leaves it to the compiler's options whether they are used.
    """
    if conv.groups > 1 or conv.dilation != (1, 1) or conv.strides != (1, 1):
        return ""
    kernel = conv.weights.shape[:2]
    words: tuple[Padding, ...] = ("valid", "same")
    for word in words:
        pads = pads_of(word, conv.in_shape[:2], kernel, conv.strides, conv.dilation)
        counts = window_counts(conv.in_shape[:2], kernel, conv.strides, conv.dilation, pads)
        if conv.pads == pads and conv.out_shape[:2] == counts and all(low == high for low, high in pads):
            return word
    return ""


def synapses(connection: Connection) -> tuple[Array, Array, Array]:
    """Return the source, target and weight of each synapse, by source, then target.

    A block of sources at a time goes through the map itself; what is not zero is a synapse.
    """
    num_sources = len(connection.fan_out())
    block = max(1, (1 << 24) // max(num_sources, connection.connectivity.num_targets))
    parts = []
    for start in range(0, num_sources, block):
        ones = np.eye(min(block, num_sources - start), num_sources, start, np.float32)
        rows = connection.apply(ones)
        source, target = np.nonzero(rows)
        parts.append(((source + start).astype(np.uint32), target.astype(np.uint32), rows[source, target]))
    before, after, weights = (np.concatenate(part) for part in zip(*parts, strict=True))
    return before, after, weights.astype(np.float32)


def _tiles(pool: SumPool) -> bool:
    """Tell whether windows neither overlap nor leave a rest, which GeNN's Toeplitz diagonals would count."""
    axes = range(2)
    apart = all(pool.strides[axis] >= pool.size[axis] for axis in axes)
    return apart and all(pool.in_shape[axis] <= pool.out_shape[axis] * pool.strides[axis] for axis in axes)
