"""Follow layers from a chain that has met weights: they become part of the weights, or of the sums before them."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from kgenn.conversion.chain import Unstructured, WeightedChain, planar
from kgenn.conversion.merging import then_convolved
from kgenn.conversion.resample import Lined, cropped, is_single_pixels, then_resampled
from kgenn.ir.connectivity import Convolution, DenseConnectivity
from kgenn.ir.graph import Array, Layer
from kgenn.layers import affine, conv, dense, pointwise, pooling, shape
from kgenn.layers.cropping import Crop


def extend_weighted(chain: WeightedChain, layer: Layer, max_weights: int) -> WeightedChain:
    """Return a chain with one more layer.

    Args:
        max_weights: weights of what it may be merged into.

    Raises:
        Unstructured: where it has no structure that kgenn knows.
    """
    old = chain.connectivity
    if isinstance(layer, shape.Broadcast):
        return _repeated(chain, layer, max_weights)
    if isinstance(layer, Lined) and _is_pixelwise(chain):
        return then_resampled(chain, layer)
    match layer:
        case affine.Affine():
            return _scaled(chain, layer)
        # a convolution has one weight for all pixels of a channel, so that its channels must stay in place
        case shape.Reshape() if isinstance(old, DenseConnectivity) or layer.shape[-1] == chain.shape[-1]:
            return replace(chain, shape=layer.shape)
        case dense.Dense() if isinstance(old, DenseConnectivity) and len(chain.shape) == 1:
            if len(old.weights) * layer.kernel.shape[1] > max_weights:
                raise Unstructured
            merged = old.weights @ layer.kernel.astype(np.float64)
            return WeightedChain(DenseConnectivity(merged), chain.pool, layer.output_shape(chain.shape))
        case dense.Dense():
            return _then_mixed(chain, pointwise.Pointwise(layer.kernel[None]), max_weights)
        case pointwise.Pointwise():
            return _then_mixed(chain, layer, max_weights)
        case shape.AxisPad() if layer.axis == -1:
            return _slotted(chain, layer)
        case conv.Conv() if _is_image(chain) and len(layer.size) <= 2:
            return _then(chain, layer, layer, max_weights)
        case pooling.AveragePool() if _is_image(chain) and len(layer.size) <= 2:
            return _then(chain, _averaging(layer, chain), layer, max_weights)
        case Crop() if _is_image(chain):
            return cropped(chain, layer)
    raise Unstructured


def _scaled(chain: WeightedChain, layer: affine.Affine) -> WeightedChain:
    old = chain.connectivity
    scale: Array = np.broadcast_to(layer.scale_shift()[0], chain.shape)
    if isinstance(old, Convolution) and (scale != scale.reshape(-1, *chain.shape[-1:])[0]).any():
        raise Unstructured
    return replace(chain, connectivity=old.scaled(np.ones(old.num_sources), scale.ravel()))


def _then(chain: WeightedChain, convolution: conv.Conv, layer: Layer, max_weights: int) -> WeightedChain:
    """Merge the convolution that a layer is."""
    assert isinstance(chain.connectivity, Convolution)
    after = layer.output_shape(chain.shape)
    return WeightedChain(
        then_convolved(chain.connectivity, convolution, planar(after), max_weights), chain.pool, after
    )


def _then_mixed(chain: WeightedChain, layer: pointwise.Pointwise, max_weights: int) -> WeightedChain:
    """Merge weights with a map of the channels that they give."""
    old = chain.connectivity
    groups, before, after = layer.kernel.shape
    target = layer.output_shape(chain.shape)
    if isinstance(old, Convolution):
        if not _has_channels(chain):
            raise Unstructured
        kernel = layer.kernel.transpose(1, 0, 2).reshape(1, 1, before, groups * after)
        mixing = conv.Conv(kernel, None, (1, 1), "valid", (1, 1), groups)
        merged = then_convolved(old, mixing, (*old.out_shape[:2], groups * after), max_weights)
        return WeightedChain(merged, chain.pool, target)
    if len(chain.shape) != 1:
        raise Unstructured
    grouped = old.weights.reshape(len(old.weights), groups, before)
    weights = np.einsum("nga,gab->ngb", grouped, layer.kernel.astype(np.float64))
    return WeightedChain(DenseConnectivity(weights.reshape(len(old.weights), -1)), chain.pool, target)


def _repeated(chain: WeightedChain, layer: shape.Broadcast, max_weights: int) -> WeightedChain:
    """Repeat pixels, which is a map of each spatial axis, and the only channel."""
    *sizes, channels = layer.shape
    if not _is_image(chain) or len(layer.shape) != len(chain.shape):
        raise Unstructured
    if tuple(sizes) != chain.shape[:-1]:
        if not _is_pixelwise(chain):
            raise Unstructured
        chain = then_resampled(chain, shape.Broadcast((*sizes, chain.shape[-1])))
    if channels == chain.shape[-1]:
        return chain
    return _then_mixed(chain, pointwise.Pointwise(np.ones((1, 1, channels))), max_weights)


def _slotted(chain: WeightedChain, layer: shape.AxisPad) -> WeightedChain:
    """Put what weights give among the channels of a concatenation, which get no weights."""
    old = chain.connectivity
    if isinstance(old, Convolution) and not (_has_channels(chain) and old.groups == 1):
        raise Unstructured
    if isinstance(old, DenseConnectivity) and len(chain.shape) != 1:
        raise Unstructured
    around = (layer.offset, layer.total - layer.offset - chain.shape[-1])
    weights = np.pad(old.weights, ((0, 0),) * (old.weights.ndim - 1) + (around,))
    merged: Convolution | DenseConnectivity = replace(old, weights=weights)
    if isinstance(merged, Convolution):
        merged = replace(merged, out_shape=(*merged.out_shape[:2], layer.total))
    return WeightedChain(merged, chain.pool, layer.output_shape(chain.shape))


def _averaging(layer: pooling.AveragePool, chain: WeightedChain) -> conv.Conv:
    """Return an average pooling as a convolution; Unstructured where windows differ in what they average."""
    if (layer.counts(chain.shape[:-1]) != prod(layer.size)).any():
        raise Unstructured
    kernel = np.full((*layer.size, 1, chain.shape[-1]), 1 / prod(layer.size))
    return conv.Conv(kernel, None, layer.strides, layer.padding, layer.ones, chain.shape[-1])


def _has_channels(chain: WeightedChain) -> bool:
    """Tell whether the last axis of what a chain gives is that of a convolution's channels."""
    old = chain.connectivity
    return isinstance(old, Convolution) and old.out_shape[2] == chain.shape[-1]


def _is_image(chain: WeightedChain) -> bool:
    """Tell whether a chain gives what a convolution gives, not reshaped since."""
    old = chain.connectivity
    return isinstance(old, Convolution) and len(chain.shape) > 1 and planar(chain.shape) == old.out_shape


def _is_pixelwise(chain: WeightedChain) -> bool:
    """Tell whether a chain gives an image each of whose pixels depends on one pixel alone."""
    return (
        isinstance(chain.connectivity, Convolution) and is_single_pixels(chain.connectivity) and _is_image(chain)
    )
