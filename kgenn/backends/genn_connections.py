"""Write each connection as lines of the emitted GeNN program: its matrix, or the current of a constant input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kgenn.backends.genn_connectivity import Device, Matrix, matrix_of
from kgenn.backends.genn_names import connection_names, population_names
from kgenn.backends.render import label
from kgenn.ir.connectivity import Convolution, DenseConnectivity, OneToOne, Sparse
from kgenn.ir.graph import Array, Shape
from kgenn.ir.network import Connection, Network
from kgenn.ir.spike_sums import Resampling, SumPool
from kgenn.ir.timing import Timing


@dataclass(frozen=True)
class ConnectionContext:
    """What the template needs of a connection.

    Attributes:
        name: in GeNN, and of its arrays.
        source: the name of its source in the network.
        target: the name of its target in GeNN.
        label: a comment.
        direct: the host computes its current, once for each sample.
        matrix: GeNN's matrix type; None of a direct one.
        lines: they add it to the model, or compute `total`, the current of `drive` before the encoder's division.
        uses: the functions that the lines call: of synapse lists, or of a direct connection's current.
        arrays: the arrays that the lines read at run time, by name.
    """

    name: str
    source: str
    target: str
    label: str
    direct: bool
    matrix: Matrix | None
    lines: tuple[str, ...]
    uses: frozenset[str]
    arrays: tuple[str, ...]


def connection_contexts(network: Network, device: Device, arrays: dict[str, Array]) -> list[ConnectionContext]:
    """Return what the template needs of each connection, adding what it reads to `arrays`."""
    names = connection_names(network)
    return [
        connection_context(network, c, name, device, arrays)
        for c, name in zip(network.connections, names, strict=True)
    ]


def connection_context(
    network: Network, connection: Connection, name: str, device: Device, arrays: dict[str, Array]
) -> ConnectionContext:
    """Return what the template needs of one connection."""
    own = arrays_of(connection, name)
    arrays |= own
    direct = network.is_analog(connection)
    matrix = None if direct else matrix_of(network, connection, device)
    if matrix is None:
        lines, uses = current(connection, name), direct_uses(connection)
    else:
        lines, uses = added(network, connection, name, matrix), listed(connection, matrix)
    return ConnectionContext(
        name=name,
        source=connection.source,
        target=population_names(network)[connection.target],
        label=f"{label(connection.source)} to {label(connection.target)}: {kind(connection)}",
        direct=direct,
        matrix=matrix,
        lines=tuple(lines),
        uses=uses,
        arrays=tuple(own),
    )


def arrays_of(connection: Connection, name: str) -> dict[str, Array]:
    """Return the arrays of a connection by the names that they have in the file of weights."""
    connectivity = connection.connectivity
    arrays = {name: connectivity.weights.astype(np.float32)}
    if isinstance(connectivity, Sparse):
        arrays[f"{name}.length"] = np.diff(connectivity.indptr).astype(np.int64)
        arrays[f"{name}.target"] = connectivity.indices
    if isinstance(connection.pool, Resampling):
        arrays |= axes_of(connection.pool, name)
    return arrays


def axes_of(pool: Resampling, name: str) -> dict[str, Array]:
    """Return the maps of the axes: for each position the first one that it reads, then the factors."""
    axes = {"rows": pool.rows, "columns": pool.columns}
    return {f"{name}.{axis}": np.column_stack([line.start, line.taps]) for axis, line in axes.items()}


def kind(connection: Connection) -> str:
    """Return a connection's kind in words, for comments."""
    words = connection.connectivity.kind.lower()
    if isinstance(connection.pool, Resampling):
        return f"resampled, {words}"
    return words if connection.pool is None else f"sums of windows, {words}"


def added(network: Network, connection: Connection, name: str, matrix: Matrix) -> Iterator[str]:
    """Yield the lines that add a connection to the model."""
    names, connectivity = population_names(network), connection.connectivity
    ends = f'"{name}", "{names[connection.source]}", "{names[connection.target]}", "{matrix}"'
    options = pulse_and_delay(network, connection)
    shape = (connection.num_sources, connectivity.num_targets)
    if matrix == "TOEPLITZ":
        yield "self._connect("
        yield f'    {ends}, weights["{name}"].ravel(),'
        yield f"    {diagonals(connection)}{options},"
        yield ")"
    elif matrix == "DENSE" and isinstance(connectivity, DenseConnectivity) and connection.pool is None:
        flat = f'weights["{name}"].ravel()'
        yield f"self._connect({ends}, {flat}{options})"
    elif matrix == "DENSE":
        yield from synapses(connection, name, "weights")
        yield f"self._connect({ends}, dense_matrix(synapses, {shape}){options})"
    else:
        yield from synapses(connection, name, "weights")
        yield f"source, target, weight = without_duplicates(synapses, {connectivity.num_targets})"
        yield f"self._connect({ends}, weight, rows=(source, target){options})"


def pulse_and_delay(network: Network, connection: Connection) -> str:
    """Return the last arguments of a connection: how a spike acts, and the steps that it travels beyond one."""
    valued = network.by_name[connection.source].neuron.valued
    delay = Timing(network).travel(connection) - 1
    return f"{', pulse=valued_pulse' if valued else ''}{f', delay={delay}' if delay else ''}"


def diagonals(connection: Connection) -> str:
    """Return the expression that makes a convolution of Toeplitz diagonals."""
    conv, pool = as_convolution(connection), connection.pool
    assert pool is None or isinstance(pool, SumPool)
    windows = "" if pool is None else f", pool=({pool.in_shape}, {pool.size}, {pool.strides})"
    return f"convolution({conv.weights.shape}, {geometry(conv)}{windows})"


def as_convolution(connection: Connection) -> Convolution:
    """Return the connectivity as a convolution; all to all behind a pool has a kernel of the whole image."""
    connectivity, pool = connection.connectivity, connection.pool
    if isinstance(connectivity, Convolution):
        return connectivity
    assert isinstance(connectivity, DenseConnectivity)
    assert pool is not None
    out: Shape = (1, 1, connectivity.num_targets)
    kernel = connectivity.weights.reshape(*pool.out_shape, connectivity.num_targets)
    return Convolution(kernel, pool.out_shape, out, (1, 1), ((0, 0), (0, 0)), (1, 1), 1)


def geometry(conv: Convolution) -> str:
    """Return a convolution's shapes and steps as arguments, without those that have their defaults."""
    before = tuple(low for low, _ in conv.pads)
    options = {"in_shape": conv.in_shape, "out_shape": conv.out_shape, "before": before}
    options |= {"strides": conv.strides} if conv.strides != (1, 1) else {}
    options |= {"dilation": conv.dilation} if conv.dilation != (1, 1) else {}
    groups = {"groups": conv.groups} if conv.groups != 1 else {}
    return ", ".join(f"{name}={value}" for name, value in {**options, **groups}.items())


def synapses(connection: Connection, name: str, arrays: str) -> Iterator[str]:
    """Yield the lines that list a connection's synapses: source, target and weight of each.

    Args:
        arrays: the expression that has the arrays by name.
    """
    match connection.connectivity:
        case DenseConnectivity() as dense:
            sizes = (dense.num_sources, dense.num_targets)
            yield f"source, target = (axis.ravel() for axis in np.indices({sizes}, np.int32))"
            yield f'synapses = source, target, {arrays}["{name}"].ravel()'
        case OneToOne() as one:
            yield f"neurons = np.arange({one.num_sources})"
            yield f'synapses = neurons, neurons, {arrays}["{name}"]'
        case Sparse() as sparse:
            yield f'source = np.repeat(np.arange({sparse.num_sources}), {arrays}["{name}.length"])'
            yield f'synapses = source, {arrays}["{name}.target"], {arrays}["{name}"]'
        case Convolution() as conv:
            yield f'synapses = convolution_synapses({arrays}["{name}"], {geometry(conv)})'
        case other:
            raise AssertionError(f"no GeNN for {type(other).__name__}")
    if connection.pool is not None:
        yield f"synapses = after_{sums(connection)}(synapses, {sums_of(connection, name, arrays)})"


def sums(connection: Connection) -> str:
    """Return the word for how a connection sums spikes, of which functions are named."""
    return "pool" if isinstance(connection.pool, SumPool) else "resampling"


def sums_of(connection: Connection, name: str, arrays: str) -> str:
    """Return the shapes of a connection's sums, and the windows or the maps of the axes, as arguments."""
    pool = connection.pool
    assert pool is not None
    shapes = f"{pool.in_shape}, {pool.out_shape}"
    if isinstance(pool, SumPool):
        return f"{shapes}, {pool.size}, {pool.strides}"
    return f'{shapes}, {arrays}["{name}.rows"], {arrays}["{name}.columns"]'


def listed(connection: Connection, matrix: Matrix) -> frozenset[str]:
    """Return which functions of synapse lists a connection needs."""
    plain = isinstance(connection.connectivity, DenseConnectivity) and connection.pool is None
    if matrix == "TOEPLITZ" or (matrix == "DENSE" and plain):
        return frozenset()
    uses = {matrix.lower()}
    uses |= {sums(connection)} if connection.pool is not None else set()
    uses |= {"convolution"} if isinstance(connection.connectivity, Convolution) else set()
    return frozenset(uses)


def current(connection: Connection, name: str) -> Iterator[str]:
    """Yield the lines that compute `total`, the current that a constant input `drive` brings each target."""
    values = "drive"
    if connection.pool is not None:
        function = "window_sums" if isinstance(connection.pool, SumPool) else "resampled"
        values = f"{function}(drive, {sums_of(connection, name, 'self.weights')})"
    match connection.connectivity:
        case DenseConnectivity():
            yield f'total = {values} @ self.weights["{name}"]'
        case OneToOne():
            yield f'total = {values} * self.weights["{name}"]'
        case Convolution() as conv:
            yield f'total = convolved({values}, self.weights["{name}"], {geometry(conv)})'
        case other:
            yield from synapses(Connection(connection.source, connection.target, other), name, "self.weights")
            yield f"total = through_synapses({values}, synapses, {other.num_targets})"


def direct_uses(connection: Connection) -> frozenset[str]:
    """Return which functions of constant inputs a connection needs."""
    kinds = {Convolution: "convolution", Sparse: "sparse"}
    uses = {name for cls, name in kinds.items() if isinstance(connection.connectivity, cls)}
    return frozenset(uses | ({sums(connection)} if connection.pool is not None else set()))
