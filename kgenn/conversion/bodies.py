"""Follow layers from a chain that has met weights: they become part of the weights, or of the sums before them."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from kgenn.conversion.chain import Body, Unstructured, planar
from kgenn.conversion.merging import then_convolved
from kgenn.conversion.resample import Lined, cropped, is_single_pixels, then_resampled
from kgenn.ir.connectivity import Convolution, Dense
from kgenn.ir.graph import Array, Layer
from kgenn.layers import affine, conv, dense, pointwise, pooling, shape
from kgenn.layers.cropping import Crop


def extend_body(body: Body, layer: Layer, most: int) -> Body:
    """Return a chain with one more layer.

    Args:
        most: weights of what it may be merged into.

    Raises:
        Unstructured: where it has no structure that kgenn knows.
    """
    old = body.connectivity
    if isinstance(layer, shape.Broadcast):
        return _repeated(body, layer, most)
    if isinstance(layer, Lined) and _is_pixelwise(body):
        return then_resampled(body, layer)
    match layer:
        case affine.Affine():
            return _scaled(body, layer)
        # a convolution has one weight for all pixels of a channel, so that its channels must stay in place
        case shape.Reshape() if isinstance(old, Dense) or layer.shape[-1] == body.shape[-1]:
            return replace(body, shape=layer.shape)
        case dense.Dense() if isinstance(old, Dense) and len(body.shape) == 1:
            if len(old.weights) * layer.kernel.shape[1] > most:
                raise Unstructured
            merged = old.weights @ layer.kernel.astype(np.float64)
            return Body(Dense(merged), body.pool, layer.output_shape(body.shape))
        case dense.Dense():
            return _then_mixed(body, pointwise.Pointwise(layer.kernel[None]), most)
        case pointwise.Pointwise():
            return _then_mixed(body, layer, most)
        case shape.Slot() if layer.axis == -1:
            return _slotted(body, layer)
        case conv.Conv() if _is_image(body) and len(layer.size) <= 2:
            return _then(body, layer, layer, most)
        case pooling.AveragePool() if _is_image(body) and len(layer.size) <= 2:
            return _then(body, _averaging(layer, body), layer, most)
        case Crop() if _is_image(body):
            return cropped(body, layer)
    raise Unstructured


def _scaled(body: Body, layer: affine.Affine) -> Body:
    old = body.connectivity
    scale: Array = np.broadcast_to(layer.scale_shift()[0], body.shape)
    if isinstance(old, Convolution) and (scale != scale.reshape(-1, *body.shape[-1:])[0]).any():
        raise Unstructured
    return replace(body, connectivity=old.scaled(np.ones(old.num_sources), scale.ravel()))


def _then(body: Body, convolution: conv.Conv, layer: Layer, most: int) -> Body:
    """Merge the convolution that a layer is."""
    assert isinstance(body.connectivity, Convolution)
    after = layer.output_shape(body.shape)
    return Body(then_convolved(body.connectivity, convolution, planar(after), most), body.pool, after)


def _then_mixed(body: Body, layer: pointwise.Pointwise, most: int) -> Body:
    """Merge weights with a map of the channels that they give."""
    old = body.connectivity
    groups, before, after = layer.kernel.shape
    target = layer.output_shape(body.shape)
    if isinstance(old, Convolution):
        if not _has_channels(body):
            raise Unstructured
        kernel = layer.kernel.transpose(1, 0, 2).reshape(1, 1, before, groups * after)
        mixing = conv.Conv(kernel, None, (1, 1), "valid", (1, 1), groups)
        merged = then_convolved(old, mixing, (*old.out_shape[:2], groups * after), most)
        return Body(merged, body.pool, target)
    if len(body.shape) != 1:
        raise Unstructured
    grouped = old.weights.reshape(len(old.weights), groups, before)
    weights = np.einsum("nga,gab->ngb", grouped, layer.kernel.astype(np.float64))
    return Body(Dense(weights.reshape(len(old.weights), -1)), body.pool, target)


def _repeated(body: Body, layer: shape.Broadcast, most: int) -> Body:
    """Repeat pixels, which is a map of each spatial axis, and the only channel."""
    *sizes, channels = layer.shape
    if not _is_image(body) or len(layer.shape) != len(body.shape):
        raise Unstructured
    if tuple(sizes) != body.shape[:-1]:
        if not _is_pixelwise(body):
            raise Unstructured
        body = then_resampled(body, shape.Broadcast((*sizes, body.shape[-1])))
    if channels == body.shape[-1]:
        return body
    return _then_mixed(body, pointwise.Pointwise(np.ones((1, 1, channels))), most)


def _slotted(body: Body, layer: shape.Slot) -> Body:
    """Put what weights give among the channels of a concatenation, which get no weights."""
    old = body.connectivity
    if isinstance(old, Convolution) and not (_has_channels(body) and old.groups == 1):
        raise Unstructured
    if isinstance(old, Dense) and len(body.shape) != 1:
        raise Unstructured
    around = (layer.offset, layer.total - layer.offset - body.shape[-1])
    weights = np.pad(old.weights, ((0, 0),) * (old.weights.ndim - 1) + (around,))
    merged: Convolution | Dense = replace(old, weights=weights)
    if isinstance(merged, Convolution):
        merged = replace(merged, out_shape=(*merged.out_shape[:2], layer.total))
    return Body(merged, body.pool, layer.output_shape(body.shape))


def _averaging(layer: pooling.AveragePool, body: Body) -> conv.Conv:
    """Return an average pooling as a convolution; Unstructured where windows differ in what they average."""
    if (layer.counts(body.shape[:-1]) != prod(layer.size)).any():
        raise Unstructured
    kernel = np.full((*layer.size, 1, body.shape[-1]), 1 / prod(layer.size))
    return conv.Conv(kernel, None, layer.strides, layer.padding, layer.ones, body.shape[-1])


def _has_channels(body: Body) -> bool:
    """Tell whether the last axis of what a chain gives is that of a convolution's channels."""
    old = body.connectivity
    return isinstance(old, Convolution) and old.out_shape[2] == body.shape[-1]


def _is_image(body: Body) -> bool:
    """Tell whether a chain gives what a convolution gives, not reshaped since."""
    old = body.connectivity
    return isinstance(old, Convolution) and len(body.shape) > 1 and planar(body.shape) == old.out_shape


def _is_pixelwise(body: Body) -> bool:
    """Tell whether a chain gives an image each of whose pixels depends on one pixel alone."""
    return isinstance(body.connectivity, Convolution) and is_single_pixels(body.connectivity) and _is_image(body)
