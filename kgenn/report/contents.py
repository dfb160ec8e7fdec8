"""List what a model or a network consists of."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from kgenn.backends import TARGETS
from kgenn.backends.base import Storage
from kgenn.ir.connectivity import Connectivity, Convolution, DenseConnectivity, OneToOne, Sparse, WeightGrid
from kgenn.ir.graph import Array, Graph, Input, Node, Shape
from kgenn.ir.network import Connection, Network
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


# Bytes of a state variable, by the neuron model's precision.
REAL_BYTES = {"single": 4, "double": 8}


@dataclass(frozen=True)
class PopulationContents:
    """One population.

    Attributes:
        threshold: on the integer grid; None where it cannot fire or its neuron model has no such parameter.
        unit: the integer of the grid that stands for the activation λ.
        scale: the least and the largest λ of its channels.
        depth: the longest way from the input, in connections that carry spikes.
        state_bytes: of one sample.
    """

    name: str
    shape: Shape
    neurons: int
    neuron_model: str
    threshold: float | None
    unit: float
    scale: tuple[float, float]
    depth: int
    has_bias: bool
    state_bytes: int


@dataclass(frozen=True)
class ConnectionContents:
    """One connection.

    Attributes:
        kind: in words.
        weights: distinct numbers stored.
        bits: that the largest of them needs, with its sign.
        grid: whether all have one grid, or each channel a power of two beside it, which takes no bits.
        matrix: how the target holds it.
        bytes: of weights and indices there.
        constant: it carries a constant current instead of spikes.
    """

    source: str
    target: str
    kind: str
    synapses: int
    weights: int
    bits: int
    grid: WeightGrid
    matrix: str
    bytes: int
    constant: bool


@dataclass(frozen=True)
class NetworkContents:
    """A network.

    Attributes:
        weight_bytes: of weights, indices and biases on the target.
        packed_bytes: of the weights alone if each took the bits that its connection needs.
        state_bytes: of one sample.
    """

    populations: tuple[PopulationContents, ...]
    connections: tuple[ConnectionContents, ...]
    weight_bytes: int
    packed_bytes: int
    state_bytes: int


@dataclass(frozen=True)
class LayerContents:
    """One layer of a model, with the activation that is part of it.

    Attributes:
        node: the name of its last node.
        origin: the Keras layer, as "name (Class)".
        inputs: the `node` of each layer it reads.
        contents: in words.
        parameters: numbers in its arrays.
        macs: multiply-accumulates for one sample.
    """

    node: str
    origin: str
    inputs: tuple[str, ...]
    shape: Shape
    contents: str
    parameters: int
    macs: int


def network_contents(network: Network, target: str = "cpu") -> NetworkContents:
    """List the populations and connections of a network, with the memory they take on a target."""
    backend = TARGETS.get(target)()
    populations = tuple(
        PopulationContents(
            name=p.name,
            shape=p.shape,
            neurons=p.size,
            neuron_model=p.neuron.name,
            threshold={**p.neuron.params, **p.params}.get("v_thresh") if p.neuron.threshold else None,
            unit=p.unit,
            scale=(float(p.scale.min()), float(p.scale.max())),
            depth=network.depths[p.name],
            has_bias=p.bias is not None,
            state_bytes=REAL_BYTES[p.neuron.precision] * p.size * len(p.neuron.state),
        )
        for p in network.populations
    )
    held = zip(network.connections, backend.storage(network), strict=True)
    connections = tuple(_connection(network, c, storage) for c, storage in held)
    biases = sum(p.bias.nbytes for p in network.populations if p.bias is not None)
    weight_bytes = biases + sum(c.bytes for c in connections)
    packed_bytes = sum(-(-c.weights * c.bits // 8) for c in connections)
    state_bytes = sum(p.state_bytes for p in populations)
    return NetworkContents(populations, connections, weight_bytes, packed_bytes, state_bytes)


def _connection(network: Network, c: Connection, held: Storage) -> ConnectionContents:
    return ConnectionContents(
        source=c.source,
        target=c.target,
        kind=connection_kind(c),
        synapses=int(c.fan_out().sum()),
        weights=c.connectivity.weights.size,
        bits=c.weight_bits,
        grid=c.connectivity.weight_grid,
        matrix=held.matrix.lower(),
        bytes=held.memory,
        constant=network.is_analog(c),
    )


def model_contents(graph: Graph) -> tuple[LayerContents, ...]:
    """List the layers of a model; what one Keras layer was read as is one entry for each of its uses."""
    found: dict[str, LayerContents] = {}
    last_node: dict[str, str] = {}
    for node in graph.nodes:
        macs = node.layer.macs(*(graph.shapes[source] for source in node.inputs))
        own = LayerContents(
            node=node.name,
            origin=node.origin or node.name,
            inputs=tuple(last_node[source] for source in node.inputs),
            shape=graph.shapes[node.name],
            contents=node.layer.contents,
            parameters=sum(a.size for a in arrays_of(node)),
            macs=macs,
        )
        if _continues(graph, node):
            own = _joined(found.pop(last_node[node.inputs[0]]), own)
        found[own.node] = own
        last_node[node.name] = own.node
    return tuple(found.values())


def arrays_of(node: Node) -> list[Array]:
    """Return a node's arrays."""
    values = [getattr(node.layer, f.name) for f in fields(node.layer)]  # type: ignore[arg-type]
    return [value for value in values if isinstance(value, np.ndarray)]


def num_parameters(graph: Graph) -> int:
    """Return the numbers in all arrays; the arrays of a shared layer count once."""
    return sum({id(a): a.size for node in graph.nodes for a in arrays_of(node)}.values())


def _continues(graph: Graph, node: Node) -> bool:
    """Tell whether a node is the next step of the Keras layer that its only input came from."""
    if len(node.inputs) != 1 or not node.origin:
        return False
    before = graph.by_name[node.inputs[0]]
    alone = len(graph.consumers[before.name]) == 1 and before.name not in graph.ends
    return alone and before.origin == node.origin and not isinstance(before.layer, Input)


def _joined(a: LayerContents, b: LayerContents) -> LayerContents:
    """Return two steps of one layer as one."""
    words = f"{a.contents}, {b.contents}"
    return LayerContents(b.node, a.origin, a.inputs, b.shape, words, a.parameters + b.parameters, a.macs + b.macs)
