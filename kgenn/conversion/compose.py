"""Compose a chain of linear layers into one connectivity: convolution, dense, one-to-one, or sparse, of sums.

Chains that trained networks have keep their structure: pool → conv, pool → dense, upsample → pad → conv, crop →
conv, transposed conv, concatenate → conv, shuffled channels → conv, conv → scale, conv → pool, depthwise →
pointwise. Of any other chain kgenn searches what each source value reaches, layer by layer, for a sparse matrix;
that is right for every linear layer, and only larger.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from kgenn.conversion.base import Memoise, uncached
from kgenn.conversion.chain import Unstructured, UnweightedChain, WeightedChain, pair, pair_pads, planar
from kgenn.conversion.merging import ungrouped
from kgenn.conversion.paths import Path
from kgenn.conversion.resample import resampled
from kgenn.conversion.searched import MAX_SYNAPSES, searched
from kgenn.conversion.weighted_chain import extend_weighted
from kgenn.ir import windows
from kgenn.ir.connectivity import Connectivity, Convolution, DenseConnectivity, OneToOne
from kgenn.ir.graph import Layer, Shape
from kgenn.ir.spike_sums import SpikeSums
from kgenn.layers import affine, along, conv, dense, pointwise, pooling, shape
from kgenn.layers.resampled import Resampled


def compose(path: Path, where: str, memoise: Memoise = uncached) -> tuple[SpikeSums | None, Connectivity]:
    """Return the connection's pooling stage and connectivity, weights in float64.

    Args:
        path: the chain.
        where: the target layer, for messages.
        memoise: keeps what had to be searched for.

    Raises:
        KgennError: KG301 where the synapses are too many.
    """
    found = structured(path)
    if found is not None:
        return found
    return None, memoise(("searched", path.shape, path.layers), lambda: searched(path, where))


def structured(path: Path, max_weights: int = MAX_SYNAPSES) -> tuple[SpikeSums | None, Connectivity] | None:
    """Return what a chain of known structure composes to, or None for any other.

    Args:
        max_weights: weights of a kernel that several layers merge into.
    """
    size = prod(path.shape)
    state: UnweightedChain | WeightedChain = UnweightedChain(
        path.shape, path.shape[-1], np.ones(size), np.arange(size)
    )
    try:
        for layer in path.layers:
            state = (
                _extend_unweighted(state, layer)
                if isinstance(state, UnweightedChain)
                else extend_weighted(state, layer, max_weights)
            )
        if isinstance(state, WeightedChain):
            return state.pool, state.connectivity
        if not state.pads and np.array_equal(state.place, np.arange(prod(state.shape))):
            return state.pool, OneToOne(state.settled().scale)
        weighted = _closed(state)
        return weighted.pool, weighted.connectivity
    except Unstructured:
        return None


def _extend_unweighted(chain: UnweightedChain, layer: Layer) -> UnweightedChain | WeightedChain:
    if chain.pads:
        chain = _with_zeros(chain, layer)
    match layer:
        case pooling.AveragePool() | Resampled():
            return resampled(chain, layer)
        case shape.Broadcast():
            return _repeated(chain, layer)
        case along.Take() | along.Along() if layer.axis != -1:
            return resampled(chain, layer)
        case affine.Affine():
            scale = np.broadcast_to(layer.scale_shift()[0], chain.shape).ravel()
            return replace(chain, scale=chain.scale * scale[chain.place])
        case shape.ZeroPad():
            old = chain.pads or ((0, 0),) * len(layer.pads)
            return replace(chain, pads=windows.added(old, layer.pads))
        case shape.AxisPad() if layer.axis != -1 and not chain.pads:
            return replace(chain, pads=_zeros_of(layer, chain.shape))
        case shape.Moving():
            return _moved(chain, layer)
        case pointwise.Pointwise():
            return _gathered(chain, layer) if layer.kernel.shape[2] == 1 else _mixed(chain, layer)
        case dense.Dense() if len(chain.shape) == 1:
            kernel = layer.kernel.astype(np.float64)[chain.place] * chain.settled().scale[:, None]
            return WeightedChain(DenseConnectivity(kernel), chain.pool, layer.output_shape(chain.shape))
        case dense.Dense():
            return _mixed(chain, pointwise.Pointwise(layer.kernel[None]))
        case conv.Conv():
            return _convolved(chain, layer)
    raise Unstructured


def _zeros_of(slot: shape.AxisPad, before: Shape) -> windows.Pads:
    """Return the zeros that a concatenation of spatial axes puts around an image of the given shape."""
    pads = [(0, 0)] * (len(before) - 1)
    pads[slot.axis + 1] = (slot.offset, slot.total - slot.offset - before[slot.axis])
    return tuple(pads)


def _with_zeros(chain: UnweightedChain, layer: Layer) -> UnweightedChain:
    """Return a chain with the zeros around its image where the next layer can read them.

    Convolutions pad, and layers that act on each pixel do not mind what lies around it.
    """
    zeros, bare = shape.ZeroPad(chain.pads), replace(chain, pads=())
    match layer:
        case pooling.AveragePool() | Resampled() | along.Take() | along.Along():
            return resampled(bare, zeros)
        case affine.Affine() if np.size(layer.scale_shift()[0]) not in (1, chain.shape[-1]):
            raise Unstructured
        case shape.AxisPad() if layer.axis == -1:
            return chain
        case shape.Moving() if not isinstance(layer, shape.ZeroPad):
            return _moved(bare, zeros)
    return chain


def _moved(chain: UnweightedChain, layer: shape.Moving) -> UnweightedChain:
    """Follow where each own value goes: positions are moved as the layer would move values."""
    flat = layer.sources(chain.shape)
    owned = np.flatnonzero(flat >= 0)
    if not np.array_equal(np.sort(flat[owned]), np.arange(prod(chain.shape))):  # a value is repeated, or cut off
        raise Unstructured
    place = np.empty(prod(chain.shape), np.int64)
    place[flat[owned]] = owned
    return replace(chain, shape=layer.output_shape(chain.shape), place=place[chain.place])


def _repeated(chain: UnweightedChain, layer: shape.Broadcast) -> UnweightedChain | WeightedChain:
    """Repeat pixels, which is a map of each spatial axis, and one channel, which is a convolution."""
    ahead = len(layer.shape) - len(chain.shape)
    chain = replace(chain, shape=(*(1,) * ahead, *chain.shape))
    channels = layer.shape[-1]
    if chain.shape[:-1] != layer.shape[:-1]:
        chain = resampled(chain, shape.Broadcast((*layer.shape[:-1], chain.shape[-1])))
    return chain if chain.shape[-1] == channels else _mixed(chain, pointwise.Pointwise(np.ones((1, 1, channels))))


def _gathered(chain: UnweightedChain, layer: pointwise.Pointwise) -> UnweightedChain:
    """Let the channels of each group meet in one place."""
    groups, before, _ = layer.kernel.shape
    scale = chain.scale * layer.kernel.astype(np.float64).ravel()[chain.place % chain.shape[-1]]
    return replace(chain, shape=(*chain.shape[:-1], groups), scale=scale, place=chain.place // before)


def _mixed(chain: UnweightedChain, layer: pointwise.Pointwise) -> WeightedChain:
    """Meet weights that mix channels: a convolution of single pixels, or of the only one."""
    groups, before, after = layer.kernel.shape
    kernel = layer.kernel.astype(np.float64).transpose(1, 0, 2).reshape(before, groups * after)
    target = layer.output_shape(shape.ZeroPad(chain.pads).output_shape(chain.shape) if chain.pads else chain.shape)
    image = _image_of(chain)
    ones = (1,) * (len(image.shape) - 1)
    weighted = _convolved(
        image, conv.Conv(kernel.reshape(*ones, *kernel.shape), None, ones, "valid", ones, groups)
    )
    return replace(weighted, shape=target)


def _image_of(chain: UnweightedChain) -> UnweightedChain:
    """Return a chain with the spatial axes of an image or a sequence, as layers of single pixels need them.

    Where there are sums and no zeros, the axes are those of the sums. Else axes become one where no zeros lie
    between their positions: an axis with zeros around it takes in those behind it that have none.

    Raises:
        Unstructured: where that leaves more than two.
    """
    *sizes, channels = chain.shape
    if chain.pool is not None and not chain.pads:
        return replace(chain, shape=(*chain.pool.out_shape[:2], channels))
    if len(sizes) in (1, 2):
        return chain
    image, pads = [1], [(0, 0)]
    for size, (before, after) in zip(sizes, chain.pads or ((0, 0),) * len(sizes), strict=True):
        if before or after:
            image.append(size)
            pads.append((before, after))
        else:
            image[-1] *= size
            pads[-1] = (pads[-1][0] * size, pads[-1][1] * size)
    if len(image) > 1 and image[0] == 1:
        image, pads = image[1:], pads[1:]
    if len(image) > 2:
        raise Unstructured
    return replace(chain, shape=(*image, channels), pads=tuple(pads) if chain.pads else ())


def _closed(chain: UnweightedChain) -> WeightedChain:
    """Return a chain that ends before it met weights as one of single pixels, each value with its scale."""
    channels = chain.shape[-1]
    return _mixed(chain, pointwise.Pointwise(np.ones((channels, 1, 1))))


def _convolved(chain: UnweightedChain, layer: conv.Conv) -> WeightedChain:
    if len(layer.size) > 2:
        raise Unstructured
    chain.check_sums()
    chain = chain.shared()
    channels, total = chain.channels, chain.shape[-1]
    width = len(channels)
    whole = np.array_equal(channels, np.repeat(np.arange(total), width // total))
    sizes = chain.shape[:-1]
    zeros = chain.pads or ((0, 0),) * len(sizes)
    padded = tuple(s + a + b for s, (a, b) in zip(sizes, zeros, strict=True))
    pads = windows.added(zeros, layer.pads(padded))
    target = layer.output_shape((*padded, chain.shape[-1]))
    groups = layer.groups if whole else 1
    kernel = layer.kernel.astype(np.float64, copy=False).reshape(*pair(layer.size), *layer.kernel.shape[-2:])
    if groups > 1:
        flat = np.repeat(kernel, width // total, axis=2)
    else:
        flat = ungrouped(kernel, layer.groups)[:, :, channels]
    source, out = planar((*sizes, width)), planar(target)
    plain = Convolution(flat, source, out, pair(layer.strides), pair_pads(pads), pair(layer.dilation), groups)
    factors = np.broadcast_to(chain.by_channel, source).ravel()
    return WeightedChain(plain.scaled(factors, np.ones(plain.num_targets)), chain.pool, target)
