"""Say in a few words what shapes, layers and connections are."""

from __future__ import annotations

from kgenn.ir.connectivity import Connectivity, Convolution, OneToOne, Sparse
from kgenn.ir.connectivity import Dense as DenseConnectivity
from kgenn.ir.graph import Array, Input, Layer, Shape
from kgenn.ir.network import Connection
from kgenn.ir.windows import Padding, Pads
from kgenn.layers.activation import Activation, Identity, ReLU
from kgenn.layers.conv import Conv
from kgenn.layers.dense import Dense
from kgenn.layers.pooling import Pool
from kgenn.layers.shape import ZeroPad

# Layers whose class does not say in the field's words what they are.
NAMES = {"BatchNorm": "batch normalisation", "Permute": "transposition"}


def times(shape: Shape) -> str:
    """Return a shape as 28×28×1."""
    return "×".join(map(str, shape)) or "1"


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
    return words if connection.pool is None else f"sum {times(connection.pool.size)}, {words}"


def _connectivity(connectivity: Connectivity) -> str:
    if isinstance(connectivity, Convolution):
        words = f"convolution {times(connectivity.weights.shape[:2])}"
        if set(connectivity.strides) != {1}:
            words += f", strides {times(connectivity.strides)}"
        return words if connectivity.groups == 1 else f"{words}, {connectivity.groups} groups"
    names = {DenseConnectivity: "all-to-all", OneToOne: "one-to-one", Sparse: "sparse"}
    return names.get(type(connectivity), type(connectivity).__name__.lower())


def layer_contents(layer: Layer) -> str:
    """Return what is in a layer, such as "5×5, 16 filters"."""
    if isinstance(layer, Input):
        return "input"
    if isinstance(layer, Conv):
        return _convolution(layer)
    if isinstance(layer, Dense):
        return f"{layer.kernel.shape[-1]} units" + ("" if layer.bias is None else ", bias")
    if isinstance(layer, Pool):
        return f"{times(layer.size)}, strides {times(layer.strides)}, {_padding(layer.padding)}"
    if isinstance(layer, ReLU):
        return "ReLU" if layer.max_value is None else f"ReLU up to {layer.max_value:g}"
    if isinstance(layer, Activation):
        return layer.function
    if isinstance(layer, Identity):
        return "nothing at inference"
    if isinstance(layer, ZeroPad):
        return _padding(layer.pads)
    return NAMES.get(type(layer).__name__, type(layer).__name__.lower())


def _padding(padding: Padding | Pads) -> str:
    if isinstance(padding, str):
        return padding
    return "zeros " + ", ".join(f"{before}+{after}" for before, after in padding)


def _convolution(layer: Conv) -> str:
    words = f"{times(layer.kernel.shape[:-2])}, {layer.kernel.shape[-1]} filters"
    if set(layer.strides) != {1}:
        words += f", strides {times(layer.strides)}"
    if set(layer.dilation) != {1}:
        words += f", dilation {times(layer.dilation)}"
    if layer.groups != 1:
        words += f", {layer.groups} groups"
    return f"{words}, {_padding(layer.padding)}" + ("" if layer.bias is None else ", bias")
