"""Choose how GeNN stores each connection, and say what the choice takes in memory.

| connection | CPU | CUDA |
|---|---|---|
| all to all | dense | dense |
| convolution, stride 1, no dilation, one group, no pool before it | sparse | Toeplitz |
| every other | sparse | sparse |

On the CPU a sparse matrix is three to four times faster than Toeplitz diagonals. On a GPU the diagonals need
no matrix in memory. GeNN's own Conv2D snippet derives its padding, wrongly for even kernels; the emitted
snippet takes it as a parameter. A pool before the weights always becomes part of a sparse matrix. A one-to-one
connection is a sparse matrix of one synapse a row. Procedural connectivity is never chosen: the CPU backend has
none, and on a GPU it computes anew, spike by spike, what a sparse matrix of a trained network already holds.
"""

from __future__ import annotations

from typing import Literal

from kgenn.backends.base import Storage
from kgenn.ir.connectivity import Convolution, Dense
from kgenn.ir.network import Connection

Device = Literal["cpu", "cuda"]

WEIGHT_BYTES = 4
INDEX_BYTES = 4


def storage(connection: Connection, device: Device) -> Storage:
    """Return GeNN's matrix type for a connection on a device, and its memory; sparse rows are padded."""
    connectivity = connection.connectivity
    if isinstance(connectivity, Dense) and connection.pool is None:
        return Storage("DENSE", connectivity.weights.size * WEIGHT_BYTES)
    if device == "cuda" and is_diagonal(connection):
        return Storage("TOEPLITZ", connectivity.weights.size * WEIGHT_BYTES)
    fan_out = connection.fan_out()
    return Storage("SPARSE", int(len(fan_out) * fan_out.max(initial=0)) * (WEIGHT_BYTES + INDEX_BYTES))


def is_diagonal(connection: Connection) -> bool:
    """Tell whether a connection is a convolution that Toeplitz diagonals can express."""
    c = connection.connectivity
    plain = isinstance(c, Convolution) and c.strides == c.dilation == (1, 1) and c.groups == 1
    return plain and connection.pool is None
