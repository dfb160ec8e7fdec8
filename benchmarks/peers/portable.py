"""Write a Keras network as arrays and a list of layers, which PyTorch rebuilds without Keras or kgenn.

Layers are channels first: kernels of convolutions have shape (C_out, C_in / groups, height, width), those of dense
layers (C_out, C_in), and the rows of a dense layer after a Flatten are reordered from (height, width, C) to
(C, height, width).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.zoo.files import replacing
from kgenn.ir.graph import Graph, Input, Layer, Node, Shape
from kgenn.layers.activation import Identity, ReLU, Softmax
from kgenn.layers.affine import BatchNorm
from kgenn.layers.conv import Conv
from kgenn.layers.dense import Dense
from kgenn.layers.merge import Add
from kgenn.layers.pooling import AveragePool, MaxPool, Pool
from kgenn.layers.shape import Reshape
from kgenn.passes.noops import drop_identities
from kgenn.passes.options import LoweringOptions

Array = NDArray[Any]
Described = tuple[dict[str, Any], dict[str, Array]]  # a layer's options and arrays


class NotPortable(ValueError):
    """A layer that has no counterpart here."""


def save(graph: Graph, path: Path) -> None:
    """Write a network as a .npz: `layers`, a JSON list, and an array `<layer>.<name>` for each array.

    Raises:
        NotPortable: the network has a layer that PyTorch has no equal of, or inputs other than images and vectors.
    """
    layers, arrays = described(graph)
    with replacing(path) as temporary:
        np.savez(temporary, layers=np.array(json.dumps(layers)), **arrays)


def described(graph: Graph) -> tuple[list[dict[str, Any]], dict[str, Array]]:
    """Return the layers in order, each with its kind, inputs and options, and their arrays by name."""
    graph = drop_identities(graph, LoweringOptions())
    (output,) = graph.ends
    layers: list[dict[str, Any]] = []
    arrays: dict[str, Array] = {}
    maps: dict[str, Shape] = {}  # the maps (height, width, C) that a vector was flattened from
    for node in graph.nodes:
        before = [graph.shapes[source] for source in node.inputs]
        flattened = maps.get(node.inputs[0]) if node.inputs else None
        if isinstance(node.layer, Reshape) and len(graph.shapes[node.name]) == 1:
            maps[node.name] = before[0]
        elif flattened and isinstance(node.layer, ReLU | Identity):
            maps[node.name] = flattened
        elif flattened and not isinstance(node.layer, Dense):
            raise NotPortable(f"{node.origin or node.name}: only dense layers may follow a Flatten")
        options, found = _describe(node, before, flattened)
        arrays |= {f"{node.name}.{name}": array for name, array in found.items()}
        layers.append({"name": node.name, "inputs": list(node.inputs), **options})
    assert layers[-1]["name"] == output, "the output is the last layer"
    return layers, arrays


def _describe(node: Node, inputs: list[Shape], flattened: Shape | None) -> Described:
    layer = node.layer
    if isinstance(layer, Dense):
        return _dense(layer, flattened)
    for kind, describe in _DESCRIBE.items():
        if isinstance(layer, kind):
            return describe(layer, inputs)
    raise NotPortable(f"{node.origin or node.name}: no counterpart in PyTorch is known here")


def _input(layer: Input, inputs: list[Shape]) -> Described:
    if layer.preprocessing or len(layer.shape) not in (1, 3):
        raise NotPortable(f"an input of shape {layer.shape} with {len(layer.preprocessing)} preprocessing layers")
    return {"kind": "input", "shape": list(layer.shape)}, {}


def _conv(layer: Conv, inputs: list[Shape]) -> Described:
    if len(layer.size) != 2:
        raise NotPortable("a convolution in one dimension")
    pads = layer.pads(inputs[0][:-1])
    options = {"strides": layer.strides, "dilation": layer.dilation, "groups": layer.groups, "pads": pads}
    arrays = {"kernel": np.ascontiguousarray(layer.kernel.transpose(3, 2, 0, 1))}
    return {"kind": "conv", **options}, arrays | _bias(layer.bias)


def _dense(layer: Dense, flattened: Shape | None) -> Described:
    kernel = layer.kernel
    if flattened:
        kernel = kernel.reshape(*flattened, -1).transpose(2, 0, 1, 3).reshape(kernel.shape)
    return {"kind": "dense"}, {"kernel": np.ascontiguousarray(kernel.T)} | _bias(layer.bias)


def _pool(layer: Pool, inputs: list[Shape]) -> Described:
    pads = layer.pads(inputs[0][:-1])
    if any(low != high for low, high in pads):
        raise NotPortable(f"a pooling whose padding {pads} differs at the two ends")
    kind = "max-pool" if isinstance(layer, MaxPool) else "average-pool"
    return {"kind": kind, "size": layer.size, "strides": layer.strides, "pads": pads}, {}


def _batch_norm(layer: BatchNorm, inputs: list[Shape]) -> Described:
    ones, zeros = np.ones_like(layer.mean), np.zeros_like(layer.mean)
    gamma, beta = (ones if layer.gamma is None else layer.gamma), (zeros if layer.beta is None else layer.beta)
    arrays = {"gamma": gamma, "beta": beta, "mean": layer.mean, "variance": layer.variance}
    return {"kind": "batch-norm", "epsilon": layer.epsilon, "rank": len(inputs[0])}, arrays


def _relu(layer: ReLU, inputs: list[Shape]) -> Described:
    if layer.negative_slope or layer.threshold:
        raise NotPortable("a ReLU with a slope below zero or a threshold")
    return {"kind": "relu", "max_value": layer.max_value}, {}


def _reshape(layer: Reshape, inputs: list[Shape]) -> Described:
    if len(layer.shape) != 1:
        raise NotPortable(f"a reshape to {layer.shape}")
    return {"kind": "flatten"}, {}


def _bias(bias: Array | None) -> dict[str, Array]:
    return {} if bias is None else {"bias": bias}


_DESCRIBE: dict[type[Layer], Callable[[Any, list[Shape]], Described]] = {
    Input: _input,
    Conv: _conv,
    AveragePool: _pool,
    MaxPool: _pool,
    BatchNorm: _batch_norm,
    ReLU: _relu,
    Reshape: _reshape,
    Add: lambda layer, inputs: ({"kind": "add"}, {}),
    Softmax: lambda layer, inputs: ({"kind": "softmax"}, {}),
}
