"""Print graphs and networks as stable text, for golden tests and for comparing two of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

import numpy as np

from kgenn.ir.graph import Graph, Output
from kgenn.ir.network import Network
from kgenn.ir.serialise import stored


def describe(value: Any) -> str:
    """Describe a value in one line; an array by dtype, shape and the start of its SHA-256."""
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()[:12]
        return f"{value.dtype}{list(value.shape)}#{digest}"
    if is_dataclass(value) and not isinstance(value, type):
        items = ", ".join(f"{name}={describe(item)}" for name, item in stored(value).items())
        return f"{type(value).__name__}({items})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {describe(item)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(describe, value)) + ")"
    return repr(value)


def graph_text(graph: Graph) -> str:
    """Return the graph, one line for each node: name, shape, layer with its options, inputs."""
    lines = [
        f"{node.name} {graph.shapes[node.name]} = {describe(node.layer)} <- {', '.join(node.inputs)}".rstrip(" <-")
        for node in graph.nodes
    ]
    return "\n".join([f"graph {graph.name}", *lines, *map(_output_text, graph.outputs)]) + "\n"


def _output_text(output: Output) -> str:
    """Return an output as "output name = node then layer"."""
    return " then ".join([f"output {output.name} = {output.node}", *map(describe, output.postprocessing)])


def network_text(network: Network) -> str:
    """Return the network, one line for each population and connection, then the rest of its fields."""
    own = ("populations", "connections", "name")
    rest = {name: item for name, item in stored(network).items() if name not in own}
    lines = [*map(describe, network.populations), *map(describe, network.connections)]
    return "\n".join([f"network {network.name}", *lines, describe(rest)]) + "\n"
