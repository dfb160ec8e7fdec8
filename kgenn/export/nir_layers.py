"""What a connection becomes in NIR: a chain of nodes, channels first; or why it becomes none."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from kgenn.export.channels_first import LARGEST_MATRIX, columns, image, moved, symmetric
from kgenn.ir.connectivity import Convolution, DenseConnectivity, OneToOne
from kgenn.ir.graph import Array, Shape
from kgenn.ir.network import Connection, Population
from kgenn.ir.spike_sums import Resampling, SumPool

# The name of a node's kind, and the node.
Chain = list[tuple[str, Any]]


def chain(nir: Any, connection: Connection, source: Population, target: Population, bias: Array | None) -> Chain:
    """Return the nodes of a connection in the order that a spike passes them.

    Args:
        nir: the package.
        bias: of the target's neurons, for the last node to hold; see `holds_bias`.
    """
    shape, nodes = source.shape, Chain()
    stage, connectivity = connection.pool, connection.connectivity
    if isinstance(stage, SumPool):
        nodes.append(("pool", pool(nir, stage, len(shape))))
        shape = _as_rank(stage.out_shape, len(shape))
    if is_image_map(connection, source, target):
        assert isinstance(connectivity, Convolution)
        # the bias is the same at every pixel
        by_channel = np.zeros(target.shape[-1]) if bias is None else bias[: target.shape[-1]]
        return [*nodes, ("conv", convolution(nir, connectivity, target.unit, by_channel, len(shape)))]
    if isinstance(connectivity, OneToOne) and shape == target.shape:
        by_pixel = connectivity.weights.reshape(-1, shape[-1])
        if len(shape) == 3 and (by_pixel == by_pixel[0]).all():  # more readers know convolutions than scales
            return [*nodes, ("conv", _by_channel(nir, by_pixel[0] / target.unit, shape))]
        scale = image(connectivity.weights / target.unit, shape).astype(np.float32)
        return [*nodes, ("scale", nir.Scale(scale=scale))]
    if len(shape) > 1:
        nodes.append(("flatten", nir.Flatten(input_type={"input": np.array(moved(shape))}, start_dim=0)))
    if isinstance(stage, Resampling):  # sums that no node of NIR takes become part of the matrix
        matrix = connection.apply(np.eye(prod(shape)))
    else:
        dense = isinstance(connectivity, DenseConnectivity)
        matrix = connectivity.weights if dense else connectivity.apply(np.eye(prod(shape)))
    weight = columns(matrix / target.unit, shape).astype(np.float32)
    # not Linear: Sinabs reads only the one with a bias
    values = np.zeros(target.size) if bias is None else bias / target.unit
    return [*nodes, ("affine", nir.Affine(weight=weight, bias=values.astype(np.float32)))]


def pool(nir: Any, stage: SumPool, rank: int) -> Any:
    """Return the node that sums windows; in one dimension a convolution with ones, since NIR has no other."""
    if rank == 3:
        size, stride = np.array(stage.size), np.array(stage.strides)
        return nir.SumPool2d(kernel_size=size, stride=stride, padding=np.zeros(2, np.int64))
    channels = stage.in_shape[2]
    ones = np.ones((channels, 1, stage.size[1]), np.float32)
    zeros = np.zeros(channels, np.float32)
    return _typed(nir.Conv1d(stage.in_shape[1], ones, stage.strides[1], 0, 1, channels, zeros), stage, 2)


def convolution(nir: Any, conv: Convolution, unit: float, bias: Array, rank: int) -> Any:
    """Return the node of a convolution over images, or over sequences where the rank is 2.

    Args:
        bias: of each channel, like the weights in integers of which `unit` make 1.
    """
    kernel = symmetric(conv)
    assert kernel is not None
    weights = (kernel.weights / unit).astype(np.float32)
    values = (bias / unit).astype(np.float32)
    if rank == 3:
        options = (conv.strides, kernel.padding, conv.dilation, conv.groups, values)
        return _typed(nir.Conv2d(conv.in_shape[:2], weights, *options), conv, rank)
    options_1d = (conv.strides[1], kernel.padding[1], conv.dilation[1], conv.groups, values)
    return _typed(nir.Conv1d(conv.in_shape[1], weights[:, :, 0], *options_1d), conv, rank)


def _by_channel(nir: Any, factors: Array, shape: Shape) -> Any:
    """Return a convolution of single pixels that multiplies each channel by a factor of its own.

    It is of one group: nir derives other shapes wrongly.
    """
    weights, zeros = np.diag(factors.astype(np.float32))[:, :, None, None], np.zeros(shape[-1], np.float32)
    node = nir.Conv2d(shape[:2], weights, (1, 1), (0, 0), (1, 1), 1, zeros)
    node.input_type, node.output_type = ({end: np.array(moved(shape))} for end in ("input", "output"))
    return node


def holds_bias(connection: Connection, source: Population, target: Population) -> bool:
    """Tell whether a connection's last node can hold the target's bias."""
    assert target.bias is not None
    if is_image_map(connection, source, target):
        by_pixel = target.bias.reshape(-1, target.shape[-1])
        return bool((by_pixel == by_pixel[0]).all())
    return is_matrix(connection, source, target)


def refusal(connection: Connection, source: Population, target: Population) -> str:
    """Return why NIR has no node for a connection, or nothing where it has."""
    if isinstance(connection.pool, Resampling):
        if is_matrix(connection, source, target):
            return ""
        return f"resamples images to {connection.pool.out_shape[:2]}, which no node of NIR does"
    shape = source.shape if connection.pool is None else _as_rank(connection.pool.out_shape, len(source.shape))
    pooled = connection.pool is None or connection.pool.in_shape == _as_rank(source.shape, 3)
    same = isinstance(connection.connectivity, OneToOne) and shape == target.shape
    if pooled and (is_image_map(connection, source, target) or is_matrix(connection, source, target) or same):
        return ""
    kind = connection.connectivity.kind.lower()
    words = f"{' x '.join(map(str, source.shape))} to {' x '.join(map(str, target.shape))}"
    return f"is a {kind} map from {words}, which is no convolution that NIR has, nor a matrix to a flat layer"


def is_image_map(connection: Connection, source: Population, target: Population) -> bool:
    """Tell whether a connection is a convolution between populations that have its shapes."""
    conv, ranks = connection.connectivity, {len(source.shape), len(target.shape)}
    if isinstance(connection.pool, Resampling):
        return False
    if not isinstance(conv, Convolution) or ranks not in ({2}, {3}) or symmetric(conv) is None:
        return False
    if ranks == {2} and conv.weights.shape[0] != 1:
        return False
    before = source.shape if connection.pool is None else connection.pool.out_shape
    return _as_rank(before, 3) == conv.in_shape and _as_rank(target.shape, 3) == conv.out_shape


def is_matrix(connection: Connection, source: Population, target: Population) -> bool:
    """Tell whether a connection leads to a flat layer and can be written out as a matrix."""
    size = connection.num_sources * connection.connectivity.num_targets
    dense = isinstance(connection.connectivity, DenseConnectivity) and not isinstance(connection.pool, Resampling)
    return len(target.shape) == 1 and (dense or size <= LARGEST_MATRIX)


def _as_rank(shape: Shape, rank: int) -> Shape:
    """Return (length, channels) as (1, length, channels), or the reverse; other shapes as they are."""
    if {len(shape), rank} == {2, 3}:
        return shape[1:] if rank == 2 else (1, *shape)
    return shape


def _typed(node: Any, layer: Convolution | SumPool, rank: int) -> Any:
    """Set a node's types, which nir derives only for square kernels of one group."""
    node.input_type = {"input": np.array(moved(_as_rank(layer.in_shape, rank)))}
    node.output_type = {"output": np.array(moved(_as_rank(layer.out_shape, rank)))}
    return node
