"""Build the Keras model that a graph describes, layer by layer, with the graph's weights.

Where Keras has several layers for one of kgenn's, the choice falls by shape: a convolution whose groups are its
channels is a depthwise one, or with the 1×1 convolution after it a separable one; a pool of a whole map that is
then flattened is a global one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from math import prod
from typing import Any

import keras
import numpy as np
from keras import layers

from kgenn.ir.graph import Array, Graph, Node
from kgenn.layers.activation import Activation, Identity, ReLU, Softmax
from kgenn.layers.affine import BatchNorm, Normalization, Rescaling
from kgenn.layers.conv import Conv
from kgenn.layers.cropping import Crop
from kgenn.layers.dense import Dense
from kgenn.layers.merge import Add, Concatenate
from kgenn.layers.pooling import MaxPool, Pool
from kgenn.layers.shape import Permute, Reshape, ZeroPad
from kgenn.layers.transposed import TransposedConv, ZeroStuff
from kgenn.layers.upsampling import UpSample

# A Keras layer and the weights that it gets once it is built.
Made = tuple[keras.layers.Layer, list[Array]]


class Twin:
    """A Keras model in the making.

    Attributes:
        tensors: of each node, by name.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tensors: dict[str, Any] = {}
        self.weights: list[tuple[keras.layers.Layer, list[Array]]] = []
        for node in graph.nodes:
            self.add(node)

    def model(self) -> keras.Model:
        """Return the model with its weights."""
        given = [self.tensors[name] for name in self.graph.inputs]
        found = [self.tensors[output.node] for output in self.graph.outputs]
        model = keras.Model(*(tensors if len(tensors) > 1 else tensors[0] for tensors in (given, found)))
        for layer, values in self.weights:
            layer.set_weights(values)
        return model

    def add(self, node: Node) -> None:
        if not node.inputs:
            self.tensors[node.name] = keras.Input(self.graph.input_shapes[node.name])
            return
        sources = [self.tensors[name] for name in node.inputs]
        if self.is_done(node):
            self.tensors[node.name] = sources[0]
            return
        layer, weights = self.layer(node)
        self.tensors[node.name] = layer(sources if len(sources) > 1 else sources[0])
        if weights:
            self.weights.append((layer, weights))

    def follower(self, node: Node) -> Node | None:
        """Return the only node that reads a node, if there is but one."""
        users = self.graph.consumers[node.name]
        return self.graph.by_name[users[0]] if len(users) == 1 else None

    def is_separable(self, node: Node) -> bool:
        layer, after = node.layer, self.follower(node)
        return (
            isinstance(layer, Conv)
            and is_depthwise(self.graph, node)
            and layer.bias is None
            and after is not None
            and isinstance(after.layer, Conv)
            and prod(after.layer.size) == prod(after.layer.strides) == after.layer.groups == 1
        )

    def is_global(self, node: Node) -> bool:
        layer, after, shape = node.layer, self.follower(node), self.graph.shapes[node.inputs[0]]
        return (
            isinstance(layer, Pool)
            and layer.size == shape[:-1]
            and layer.padding == "valid"
            and after is not None
            and isinstance(after.layer, Reshape)
            and after.layer.shape == shape[-1:]
        )

    def is_done(self, node: Node) -> bool:
        """Tell whether the Keras layer before computes this node too."""
        before = self.graph.by_name[node.inputs[0]]
        stuffed = isinstance(node.layer, ZeroStuff)
        return stuffed or (bool(before.inputs) and (self.is_separable(before) or self.is_global(before)))

    def layer(self, node: Node) -> Made:
        layer = node.layer
        if isinstance(layer, TransposedConv):
            return transposed(layer)
        if isinstance(layer, Conv):
            return self.convolution(node, layer)
        if isinstance(layer, Pool):
            return self.pool(node, layer), []
        return SIMPLE[type(layer)](layer)

    def convolution(self, node: Node, conv: Conv) -> Made:
        rank = len(conv.size)
        bias = [] if conv.bias is None else [conv.bias]
        options = {
            "strides": conv.strides,
            "padding": conv.padding,
            "dilation_rate": conv.dilation,
            "use_bias": bool(bias),
        }
        if not is_depthwise(self.graph, node):
            made = class_of("Conv", rank)(conv.kernel.shape[-1], conv.size, groups=conv.groups, **options)
            return made, [conv.kernel, *bias]
        kernel = conv.kernel.reshape(*conv.size, conv.groups, -1)
        if not self.is_separable(node):
            options["depth_multiplier"] = kernel.shape[-1]
            return class_of("DepthwiseConv", rank)(conv.size, **options), [kernel, *bias]
        point = self.follower(node).layer  # type: ignore[union-attr]
        assert isinstance(point, Conv)
        bias = [] if point.bias is None else [point.bias]
        options.update(use_bias=bool(bias), depth_multiplier=kernel.shape[-1])
        made = class_of("SeparableConv", rank)(point.kernel.shape[-1], conv.size, **options)
        return made, [kernel, point.kernel, *bias]

    def pool(self, node: Node, pool: Pool) -> keras.layers.Layer:
        kind = "Max" if isinstance(pool, MaxPool) else "Average"
        if self.is_global(node):
            return class_of(f"Global{kind}Pooling", len(pool.size))()
        return class_of(f"{kind}Pooling", len(pool.size))(pool.size, pool.strides, pool.padding)


def class_of(name: str, rank: int) -> type[keras.layers.Layer]:
    """Return Keras' class for one or two dimensions."""
    return getattr(layers, f"{name}{rank}D")


def transposed(layer: TransposedConv) -> Made:
    """Return the layer that puts the zeros there too; it pads where the convolution has fewer zeros around."""
    bias = [] if layer.bias is None else [layer.bias]
    (*size, _, out), rank = layer.kernel.shape, len(layer.size)
    same = any(before < k - 1 or after < k - 1 for k, (before, after) in zip(size, layer.padding, strict=True))  # type: ignore[misc]
    options = {"strides": layer.spread, "padding": "same" if same else "valid", "use_bias": bool(bias)}
    kernel = np.flip(np.swapaxes(layer.kernel, -1, -2), tuple(range(rank)))
    return getattr(layers, f"Conv{rank}DTranspose")(out, tuple(size), **options), [kernel, *bias]


def is_depthwise(graph: Graph, node: Node) -> bool:
    """Tell whether a depthwise layer of Keras, which has one stride and no causal pads, computes a node."""
    conv = node.layer
    assert isinstance(conv, Conv)
    channels = graph.shapes[node.inputs[0]][-1]
    plain = conv.padding != "causal" and len(set(conv.strides)) == 1
    return plain and 1 < channels == conv.groups


def dense(layer: Dense) -> Made:
    bias = [] if layer.bias is None else [layer.bias]
    return layers.Dense(layer.kernel.shape[1], use_bias=bool(bias)), [layer.kernel, *bias]


def batch_norm(layer: BatchNorm) -> Made:
    found = (layer.gamma, layer.beta, layer.mean, layer.variance)
    made = layers.BatchNormalization(
        epsilon=layer.epsilon, scale=layer.gamma is not None, center=layer.beta is not None
    )
    return made, [values for values in found if values is not None]


def zero_pad(layer: ZeroPad) -> Made:
    rank = len(layer.pads)
    return class_of("ZeroPadding", rank)(layer.pads if rank > 1 else layer.pads[0]), []


def crop(layer: Crop) -> Made:
    rank = len(layer.crops)
    return class_of("Cropping", rank)(layer.crops if rank > 1 else layer.crops[0]), []


def upsample(layer: UpSample) -> Made:
    if len(layer.factors) == 1:
        return layers.UpSampling1D(layer.factors[0]), []
    return layers.UpSampling2D(layer.factors, interpolation=layer.interpolation), []


def reshape(layer: Reshape) -> Made:
    return layers.Flatten() if len(layer.shape) == 1 else layers.Reshape(layer.shape), []


SIMPLE: dict[type, Callable[[Any], Made]] = {
    Activation: lambda layer: (layers.Activation(layer.function), []),
    Add: lambda layer: (layers.Add(), []),
    BatchNorm: batch_norm,
    Crop: crop,
    UpSample: upsample,
    Concatenate: lambda layer: (layers.Concatenate(axis=layer.axis), []),
    Dense: dense,
    Identity: lambda layer: (layers.Dropout(0.5), []),
    Normalization: lambda layer: (layers.Normalization(mean=layer.mean, variance=layer.variance), []),
    Permute: lambda layer: (layers.Permute(tuple(axis + 1 for axis in layer.axes)), []),
    ReLU: lambda layer: (layers.ReLU(max_value=layer.max_value), []),
    Rescaling: lambda layer: (layers.Rescaling(float(layer.scale), float(layer.offset)), []),
    Reshape: reshape,
    Softmax: lambda layer: (layers.Softmax(), []),
    ZeroPad: zero_pad,
}


def keras_twin(graph: Graph) -> keras.Model:
    """Return the Keras model of a graph."""
    return Twin(graph).model()


def keras_output(model: keras.Model, x: Array) -> Array:
    """Return what Keras computes, shape (N, *output shape)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*softmax over axis")  # of a single class
        return np.asarray(model(x, training=False))
