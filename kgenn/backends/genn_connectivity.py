"""Choose how GeNN stores each connection, and say what the choice takes in memory.

| connection | CPU | CUDA |
|---|---|---|
| all to all | dense | dense |
| all to all, behind a pool | Toeplitz | dense |
| all to all, behind a resampling | dense | dense |
| any into at most 1,024 neurons | as below | dense |
| convolution of spikes with values | Toeplitz | sparse |
| any other convolution behind a resampling | sparse | sparse |
| every other convolution that mixes channels | Toeplitz | Toeplitz |
| the same behind a pool whose windows overlap, or with strides and dilation on one axis | Toeplitz | sparse |
| depthwise convolution, one to one, and any other map | sparse | sparse |

A Toeplitz matrix stores the kernel alone. The emitted snippets are kgenn's own: GeNN's Conv2D derives its padding,
wrongly for even kernels, and has no strides. On the CPU a diagonal that has all output channels was measured to be
faster than a sparse matrix. On CUDA a diagonal is a thread, and has one target for each source: with strides, only
the taps that reach an output from the source's place count. A pool before the weights becomes part of the matrix.

On CUDA three faults of GeNN decide:

- Over a Toeplitz matrix, a weight update that reads a variable of the source neuron, such as the value of a spike,
  does not compile in 5.3.0 and 5.4.0 (pull request 755), and reads sample 0's value for the whole batch in those
  and later versions (757). The CPU backend has neither fault.
- Into a population that is no larger than a block of threads, GeNN adds the synapses of a Toeplitz or sparse
  matrix in shared memory without atomic operations. That is wrong for two synapses between one pair of neurons,
  and for rows that are wider than a warp, whose warps may be at different spikes. A dense matrix adds in a
  register for each target. Larger populations are added to with atomic operations.
- Two synapses between one pair of neurons never stand in a sparse or dense matrix: their weights are added up.

Procedural connectivity is never chosen: the CPU backend has none, and on a GPU it computes anew, spike by spike,
what the matrix of a trained network already holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from kgenn.backends.base import Storage
from kgenn.ir.connectivity import Convolution, DenseConnectivity, Sparse
from kgenn.ir.graph import Array
from kgenn.ir.network import Connection, Network, Population
from kgenn.ir.spike_sums import SpikeSums, SumPool

Device = Literal["cpu", "cuda"]
Matrix = Literal["DENSE", "TOEPLITZ", "SPARSE"]
Precision = Literal["float", "double"]

WEIGHT_BYTES: Mapping[Precision, int] = {"float": 4, "double": 8}
# The most threads that a block can have on any device.
MAX_THREADS = 1024


def precision_of(network: Network) -> Precision:
    """Return the precision of a model: GeNN has one for all synapses, and some sums of currents need double."""
    return "double" if any(map(network.has_double_currents, running(network))) else "float"


def running(network: Network) -> tuple[Population, ...]:
    """Return the populations that GeNN simulates: all but an input that the host turns into constant currents."""
    analog = {i.name for i in network.inputs if i.coding.analog}
    return tuple(p for p in network.populations if p.name not in analog)


def storage(network: Network, device: Device) -> tuple[Storage, ...]:
    """Return GeNN's matrix type for each connection on a device, and its memory; sparse rows are padded.

    What a constant input drives has no matrix: the host computes its currents once for each sample.
    """
    weight_bytes = WEIGHT_BYTES[precision_of(network)]
    held = []
    for c in network.connections:
        matrix = "HOST" if network.is_analog(c) else matrix_of(network, c, device)
        held.append(Storage(matrix, memory_of(c, matrix, weight_bytes)))
    return tuple(held)


def memory_of(connection: Connection, matrix: str, weight_bytes: int) -> int:
    """Return the bytes of a connection's weights and indices."""
    connectivity = connection.connectivity
    if matrix in ("HOST", "TOEPLITZ"):
        return connectivity.weights.size * weight_bytes
    if matrix == "DENSE":
        return connection.num_sources * connectivity.num_targets * weight_bytes
    longest = int(distinct_targets(connection).max(initial=0))
    return connection.num_sources * longest * (weight_bytes + index_bytes(connectivity.num_targets))


def matrix_of(network: Network, connection: Connection, device: Device) -> Matrix:
    """Return GeNN's matrix type for a connection on a device; see the table above."""
    connectivity = connection.connectivity
    windows = isinstance(connection.pool, SumPool)
    if isinstance(connectivity, DenseConnectivity) and not (windows and device == "cpu"):
        return "DENSE"
    if device == "cpu":
        if connection.pool is not None and not windows:
            return "SPARSE"
        mixing = isinstance(connectivity, Convolution) and not connectivity.depthwise
        return "TOEPLITZ" if mixing or isinstance(connectivity, DenseConnectivity) else "SPARSE"
    if connectivity.num_targets <= MAX_THREADS:
        return "DENSE"
    valued = network.by_name[connection.source].neuron.valued
    return "TOEPLITZ" if is_diagonal(connection) and not valued else "SPARSE"


def is_diagonal(connection: Connection) -> bool:
    """Tell whether a connection is a convolution that the snippet for CUDA can express."""
    c = connection.connectivity
    if not isinstance(c, Convolution) or c.depthwise:
        return False
    one_step = all(1 in steps for steps in zip(c.strides, c.dilation, strict=True))
    pool = connection.pool
    return one_step and (pool is None or (isinstance(pool, SumPool) and not pool.overlapping))


def index_bytes(num_targets: int) -> int:
    """Return the bytes of a target's index in a sparse matrix: GeNN takes the narrowest type."""
    return 1 if num_targets < 1 << 8 else 2 if num_targets < 1 << 16 else 4


def distinct_targets(connection: Connection) -> Array:
    """Return the number of targets of each source, shape (num_sources,): synapses to one target count as one."""
    connectivity, pool = connection.connectivity, connection.pool
    if isinstance(connectivity, Convolution) and pool is not None and pool.overlapping:
        rows, columns = (axis_targets(connectivity, pool, axis) for axis in (0, 1))
        per_pixel = np.outer(rows, columns).ravel() * (connectivity.out_shape[2] // connectivity.groups)
        return np.repeat(per_pixel, pool.in_shape[2])
    if not isinstance(connectivity, Sparse):
        # all to all, behind windows that overlap, has a synapse of each pair for each window
        return np.minimum(connection.fan_out(), connectivity.num_targets)
    source, target = np.repeat(np.arange(connectivity.num_sources), connectivity.fan_out()), connectivity.indices
    if pool is not None:
        source, target = before_pool(source, target, pool)
    pairs = np.unique(source.astype(np.int64) * connectivity.num_targets + target)
    return np.bincount(pairs // connectivity.num_targets, minlength=connection.num_sources)


def axis_targets(convolution: Convolution, pool: SpikeSums, axis: int) -> Array:
    """Return, for each source position on an axis, how many outputs it reaches through a pool."""
    out, taps = np.indices((convolution.out_shape[axis], convolution.weights.shape[axis]))
    position = out * convolution.strides[axis] + taps * convolution.dilation[axis] - convolution.pads[axis][0]
    inside = (position >= 0) & (position < pool.out_shape[axis])
    reads = np.zeros((convolution.out_shape[axis], pool.in_shape[axis]), bool)
    line = pool.axis(axis)
    for offset in range(line.taps.shape[1]):
        used = line.taps[position[inside], offset] > 0
        reads[out[inside][used], line.start[position[inside][used]] + offset] = True
    total: Array = reads.sum(axis=0)
    return total


def before_pool(source: Array, target: Array, pool: SpikeSums) -> tuple[Array, Array]:
    """Let the synapses of each sum leave every neuron that it counts."""
    y, x, channel = np.unravel_index(source, pool.out_shape)
    rows, columns = pool.axis(0), pool.axis(1)
    sources, targets = [], []
    for dy, dx in np.ndindex(rows.taps.shape[1], columns.taps.shape[1]):
        used = (rows.taps[y, dy] > 0) & (columns.taps[x, dx] > 0)
        place = (rows.start[y] + dy)[used], (columns.start[x] + dx)[used], channel[used]
        sources.append(np.ravel_multi_index(place, pool.in_shape))
        targets.append(target[used])
    return np.concatenate(sources), np.concatenate(targets)
