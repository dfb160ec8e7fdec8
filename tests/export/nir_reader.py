"""Interpret a NIR graph in plain NumPy, float64, by NIR's own definitions; nothing of kgenn is used here."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def correlate(x: Array, kernel: Array, stride: Any, padding: Any, dilation: Any, groups: int) -> Array:
    """Convolve (C, H, W) with (C_out, C / groups, h, w), as PyTorch's Conv2d, by the definition of the sum."""
    x = np.pad(x, ((0, 0), (padding[0],) * 2, (padding[1],) * 2))
    c_out, per_group, height, width = kernel.shape
    rows = (x.shape[1] - dilation[0] * (height - 1) - 1) // stride[0] + 1
    columns = (x.shape[2] - dilation[1] * (width - 1) - 1) // stride[1] + 1
    result = np.zeros((c_out, rows, columns))
    for channel in range(c_out):
        first = channel // (c_out // groups) * per_group
        for i in range(height):
            for j in range(width):
                top, left = i * dilation[0], j * dilation[1]
                part = x[first : first + per_group, top :: stride[0], left :: stride[1]][:, :rows, :columns]
                result[channel] += np.tensordot(kernel[channel, :, i, j], part, 1)
    return result


def transform(node: Any, x: Array) -> Array:
    """Apply a node without state."""
    match type(node).__name__:
        case "Conv2d":
            out = correlate(x, node.weight, node.stride, node.padding, node.dilation, node.groups)
            return out + np.asarray(node.bias)[:, None, None]
        case "Conv1d":
            pads = (1, node.stride), (0, node.padding), (1, node.dilation)
            out = correlate(x[:, None], node.weight[:, :, None], *pads, node.groups)
            return out[:, 0] + np.asarray(node.bias)[:, None]
        case "SumPool2d":
            ones = np.ones((len(x), 1, *node.kernel_size))
            return correlate(x, ones, node.stride, node.padding, (1, 1), len(x))
        case "Flatten":
            assert node.start_dim == 0
            return x.ravel()
        case "Affine":
            return node.weight.astype(float) @ x + node.bias
        case "Linear":
            return node.weight.astype(float) @ x
        case "Scale":
            return node.scale * x
        case "Input" | "Output":
            return x
    raise AssertionError(f"no definition of {type(node).__name__}")


def run(graph: Any, inputs: Array | dict[str, Array]) -> dict[str, Array]:
    """Return each node's output at every step, (T, *shape); edges into one node add up.

    Args:
        inputs: shape (T, *shape of the Input); of several by their names.
    """
    order = topological(graph)
    neurons = {name: node for name, node in graph.nodes.items() if type(node).__name__ == "IF"}
    potentials = {name: np.zeros(node.r.shape) + node.metadata["v_initial"] for name, node in neurons.items()}
    outputs: dict[str, list[Array]] = {name: [] for name in order}
    given = inputs if isinstance(inputs, dict) else {"input": inputs}
    for t in range(len(next(iter(given.values())))):
        values: dict[str, Array] = {}
        for name in order:
            node = graph.nodes[name]
            into = [values[source] for source, target in graph.edges if target == name]
            x = np.sum(into, axis=0) if into else given[name][t].astype(float)
            if name in potentials:
                v = potentials[name] + node.r * x
                fired = v >= node.v_threshold
                reset = v - node.v_threshold if node.metadata["reset"] == "subtract" else node.v_reset
                potentials[name] = np.where(fired, reset, v)
                values[name] = fired.astype(float)
            else:
                values[name] = transform(node, x)
            outputs[name].append(values[name])
    return {name: np.stack(steps) for name, steps in outputs.items()}


def topological(graph: Any) -> list[str]:
    """Return the nodes' names, each after all that lead to it."""
    order: list[str] = []
    while len(order) < len(graph.nodes):
        ready = [
            name
            for name in graph.nodes
            if name not in order and all(source in order for source, target in graph.edges if target == name)
        ]
        assert ready, "the graph has a cycle"
        order += ready
    return order
