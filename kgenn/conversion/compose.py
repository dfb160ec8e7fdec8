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

from kgenn.conversion.base import Recall, anew
from kgenn.conversion.chain import Body, Head, Unstructured, pair, planar
from kgenn.conversion.paths import Path
from kgenn.conversion.resample import is_single_pixels, resampled, then_resampled
from kgenn.diagnostics import Diagnostic, KgennError
from kgenn.ir import windows
from kgenn.ir.connectivity import Connectivity, Convolution, Dense, OneToOne, Sparse, SpikeSums
from kgenn.ir.graph import Array, Layer, Reach, Shape
from kgenn.layers import affine, conv, dense, pointwise, pooling, shape
from kgenn.layers.resampled import Resampled

# Synapses of the largest sparse matrix that is built; 12 bytes each.
MOST_SYNAPSES = 200_000_000
# Contributions of source values that are followed at once, about.
MOST_REACHED = 4_000_000


def compose(path: Path, where: str, recall: Recall = anew) -> tuple[SpikeSums | None, Connectivity]:
    """Return the connection's pooling stage and connectivity, weights in float64.

    Args:
        path: the chain.
        where: the target layer, for messages.
        recall: keeps what had to be searched for.

    Raises:
        KgennError: KG301 where the synapses are too many.
    """
    found = structured(path)
    if found is not None:
        return found
    return None, recall(("searched", path.shape, path.layers), lambda: searched(path, where))


def structured(path: Path) -> tuple[SpikeSums | None, Connectivity] | None:
    """Return what a chain of known structure composes to, or None for any other."""
    size = prod(path.shape)
    state: Head | Body = Head(path.shape, path.shape[-1], np.ones(size), np.arange(size))
    try:
        for layer in path.layers:
            state = _extend_head(state, layer) if isinstance(state, Head) else _extend_body(state, layer)
        if isinstance(state, Body):
            return state.pool, state.connectivity
        if not state.pads and np.array_equal(state.place, np.arange(prod(state.shape))):
            return state.pool, OneToOne(state.settled().scale)
        body = _closed(state)
        return body.pool, body.connectivity
    except Unstructured:
        return None


def _extend_head(head: Head, layer: Layer) -> Head | Body:
    if head.pads:
        head = _with_zeros(head, layer)
    match layer:
        case pooling.AveragePool() | Resampled():
            return resampled(head, layer)
        case affine.Affine():
            scale = np.broadcast_to(layer.scale_shift()[0], head.shape).ravel()
            return replace(head, scale=head.scale * scale[head.place])
        case shape.ZeroPad():
            old = head.pads or ((0, 0),) * len(layer.pads)
            return replace(head, pads=windows.added(old, layer.pads))
        case shape.Slot() if layer.axis != -1 and not head.pads:
            return replace(head, pads=_zeros_of(layer, head.shape))
        case shape.Moving():
            return _moved(head, layer)
        case pointwise.Pointwise():
            return _gathered(head, layer) if layer.kernel.shape[2] == 1 else _mixed(head, layer)
        case dense.Dense() if len(head.shape) == 1:
            kernel = layer.kernel.astype(np.float64)[head.place] * head.settled().scale[:, None]
            return Body(Dense(kernel), head.pool, layer.output_shape(head.shape))
        case dense.Dense():
            return _mixed(head, pointwise.Pointwise(layer.kernel[None]))
        case conv.Conv():
            return _convolved(head, layer)
    raise Unstructured


def _zeros_of(slot: shape.Slot, before: Shape) -> windows.Pads:
    """Return the zeros that a concatenation of spatial axes puts around an image of the given shape."""
    pads = [(0, 0)] * (len(before) - 1)
    pads[slot.axis + 1] = (slot.offset, slot.total - slot.offset - before[slot.axis])
    return tuple(pads)


def _with_zeros(head: Head, layer: Layer) -> Head:
    """Return a chain with the zeros around its image where the next layer can read them.

    Convolutions pad, and layers that act on each pixel do not mind what lies around it.
    """
    zeros, bare = shape.ZeroPad(head.pads), replace(head, pads=())
    match layer:
        case pooling.AveragePool() | Resampled():
            return resampled(bare, zeros)
        case affine.Affine() if np.size(layer.scale_shift()[0]) not in (1, head.shape[-1]):
            raise Unstructured
        case shape.Slot() if layer.axis == -1:
            return head
        case shape.Moving() if not isinstance(layer, shape.ZeroPad):
            return _moved(bare, zeros)
    return head


def _moved(head: Head, layer: shape.Moving) -> Head:
    """Follow where each own value goes: positions are moved as the layer would move values."""
    flat = layer.sources(head.shape)
    owned = np.flatnonzero(flat >= 0)
    if not np.array_equal(np.sort(flat[owned]), np.arange(prod(head.shape))):  # a value is repeated, or cut off
        raise Unstructured
    place = np.empty(prod(head.shape), np.int64)
    place[flat[owned]] = owned
    return replace(head, shape=layer.output_shape(head.shape), place=place[head.place])


def _gathered(head: Head, layer: pointwise.Pointwise) -> Head:
    """Let the channels of each group meet in one place."""
    groups, before, _ = layer.kernel.shape
    scale = head.scale * layer.kernel.astype(np.float64).ravel()[head.place % head.shape[-1]]
    return replace(head, shape=(*head.shape[:-1], groups), scale=scale, place=head.place // before)


def _mixed(head: Head, layer: pointwise.Pointwise) -> Body:
    """Meet weights that mix channels: a convolution of single pixels, or of the only one."""
    groups, before, after = layer.kernel.shape
    kernel = layer.kernel.astype(np.float64).transpose(1, 0, 2).reshape(before, groups * after)
    # more axes than an image's, or fewer, are positions in a row
    image = head.shape if len(head.shape) in (2, 3) else (prod(head.shape[:-1]), head.shape[-1])
    shaped = replace(head, shape=image)
    ones = (1,) * (len(image) - 1)
    body = _convolved(shaped, conv.Conv(kernel.reshape(*ones, *kernel.shape), None, ones, "valid", ones, groups))
    return body if len(head.shape) > 1 else replace(body, shape=layer.output_shape(head.shape))


def _closed(head: Head) -> Body:
    """Return a chain that ends before it met weights as one of single pixels, each value with its scale."""
    channels = head.shape[-1]
    return _mixed(head, pointwise.Pointwise(np.ones((channels, 1, 1))))


def _convolved(head: Head, layer: conv.Conv) -> Body:
    if len(layer.size) > 2:
        raise Unstructured
    head = head.shared()
    channels, total = head.channels, head.shape[-1]
    width = len(channels)
    if layer.groups > 1 and not np.array_equal(channels, np.repeat(np.arange(total), width // total)):
        raise Unstructured
    sizes = head.shape[:-1]
    zeros = head.pads or ((0, 0),) * len(sizes)
    padded = tuple(s + a + b for s, (a, b) in zip(sizes, zeros, strict=True))
    pads = windows.added(zeros, layer.pads(padded))
    target = layer.output_shape((*padded, head.shape[-1]))
    kernel = layer.kernel.astype(np.float64)
    kernel = np.repeat(kernel, width // total, axis=-2) if layer.groups > 1 else kernel[..., channels, :]
    flat = kernel.reshape(*pair(layer.size), *kernel.shape[-2:])
    pair_pads = ((0, 0), *pads) if len(pads) == 1 else pads
    source, out = planar((*sizes, width)), planar(target)
    plain = Convolution(flat, source, out, pair(layer.strides), pair_pads, pair(layer.dilation), layer.groups)
    factors = np.broadcast_to(head.by_channel, source).ravel()
    return Body(plain.scaled(factors, np.ones(plain.num_targets)), head.pool, target)


def _extend_body(body: Body, layer: Layer) -> Body:
    old = body.connectivity
    match layer:
        case affine.Affine():
            scale: Array = np.broadcast_to(layer.scale_shift()[0], body.shape)
            if isinstance(old, Convolution) and (scale != scale.reshape(-1, *body.shape[-1:])[0]).any():
                raise Unstructured
            scaled = old.scaled(np.ones(old.num_sources), scale.ravel())
            return replace(body, connectivity=scaled)
        # a convolution has one weight for all pixels of a channel, so that its channels must stay in place
        case shape.Reshape() if isinstance(old, Dense) or layer.shape[-1] == body.shape[-1]:
            return replace(body, shape=layer.shape)
        case dense.Dense() if isinstance(old, Dense) and len(body.shape) == 1:
            merged = old.weights @ layer.kernel.astype(np.float64)
            return Body(Dense(merged), body.pool, layer.output_shape(body.shape))
        case dense.Dense():
            return _then_mixed(body, pointwise.Pointwise(layer.kernel[None]))
        case pointwise.Pointwise():
            return _then_mixed(body, layer)
        case conv.Conv() if isinstance(old, Convolution) and _follows_pointwise(body, layer):
            return Body(_then_pointwise(old, layer), body.pool, layer.output_shape(body.shape))
        case pooling.AveragePool() | Resampled() | shape.ZeroPad() if _is_pixelwise(body):
            return then_resampled(body, layer)
        case pooling.AveragePool() if isinstance(old, Convolution) and _is_image(body):
            return _then_averaged(body, old, layer)
    raise Unstructured


def _then_mixed(body: Body, layer: pointwise.Pointwise) -> Body:
    """Merge weights with a map of the channels that they give."""
    old = body.connectivity
    groups, before, after = layer.kernel.shape
    if isinstance(old, Convolution) and (
        old.out_shape[2] != body.shape[-1] or prod(body.shape) != old.num_targets
    ):
        raise Unstructured
    if isinstance(old, Dense) and len(body.shape) != 1:
        raise Unstructured
    if before > 1 and isinstance(old, Convolution) and old.groups > 1:
        raise Unstructured
    grouped = old.weights.reshape(*old.weights.shape[:-1], groups, before)
    weights = np.einsum("...ga,gab->...gb", grouped, layer.kernel.astype(np.float64))
    weights = weights.reshape(*old.weights.shape[:-1], groups * after)
    merged: Convolution | Dense = replace(old, weights=weights)
    if isinstance(merged, Convolution):
        merged = replace(merged, out_shape=(*merged.out_shape[:2], groups * after))
    return Body(merged, body.pool, layer.output_shape(body.shape))


def _follows_pointwise(body: Body, layer: conv.Conv) -> bool:
    """Tell whether the layer is a 1×1 convolution of the image that the chain gives, not reshaped since."""
    return _is_image(body) and prod(layer.size) == 1 and layer.groups == 1


def _is_image(body: Body) -> bool:
    """Tell whether what a convolution gives has not been reshaped since."""
    assert isinstance(body.connectivity, Convolution)
    return len(body.shape) > 1 and planar(body.shape) == body.connectivity.out_shape


def _is_pixelwise(body: Body) -> bool:
    """Tell whether a chain gives an image each of whose pixels depends on the one in its place alone."""
    return isinstance(body.connectivity, Convolution) and is_single_pixels(body.connectivity) and _is_image(body)


def _then_pointwise(first: Convolution, layer: conv.Conv) -> Convolution:
    """Merge a convolution with the 1×1 convolution after it: one kernel, its groups written out."""
    pointwise = layer.kernel.reshape(layer.kernel.shape[-2:]).astype(np.float64)
    height, width, per_group, middle = first.weights.shape
    full = np.zeros((height, width, first.in_shape[2], middle))
    share = middle // first.groups
    for g in range(first.groups):
        outputs = slice(g * share, (g + 1) * share)
        full[:, :, g * per_group : (g + 1) * per_group, outputs] = first.weights[..., outputs]
    strides = pair(layer.strides)
    counts = tuple(-(-n // s) for n, s in zip(first.out_shape[:2], strides, strict=True))
    return replace(
        first,
        weights=full @ pointwise,
        out_shape=(*counts, layer.kernel.shape[-1]),
        strides=(first.strides[0] * strides[0], first.strides[1] * strides[1]),
        groups=1,
    )


def _then_averaged(body: Body, first: Convolution, layer: pooling.AveragePool) -> Body:
    """Merge a convolution with the average pooling of what it gives: its kernel grows to what a window sees."""
    if first.dilation != (1, 1) or (layer.counts(body.shape[:-1]) != prod(layer.size)).any():
        raise Unstructured
    target = layer.output_shape(body.shape)
    out, window, steps, strides = planar(target), pair(layer.size), pair(layer.strides), first.strides
    height, width, *channels = first.weights.shape
    size = ((window[0] - 1) * strides[0] + height, (window[1] - 1) * strides[1] + width, *channels)
    if prod(size) > MOST_SYNAPSES:
        raise Unstructured
    kernel = np.zeros(size)
    for y in range(window[0]):
        for x in range(window[1]):
            top, left = y * strides[0], x * strides[1]
            kernel[top : top + height, left : left + width] += first.weights / prod(window)
    whole = (strides[0] * steps[0], strides[1] * steps[1])
    pads = tuple(
        (low, max(0, (out[axis] - 1) * whole[axis] + kernel.shape[axis] - first.in_shape[axis] - low))
        for axis, (low, _) in enumerate(first.pads)
    )
    return Body(replace(first, weights=kernel, out_shape=out, strides=whole, pads=pads), body.pool, target)


def too_many_synapses(where: str) -> Diagnostic:
    """Return the refusal of a matrix that is too large to build."""
    what = f"the layers before it need a matrix of over {MOST_SYNAPSES:,} synapses"
    return Diagnostic("KG301", where, what, "put a ReLU between linear layers that follow one another")


def searched(path: Path, where: str) -> Sparse:
    """Return the matrix of any linear chain: what each source value reaches, layer by layer.

    Time and memory are linear in the contributions that are met on the way.

    Raises:
        KgennError: KG301 where the synapses are too many.
    """
    size = prod(path.shape)
    counts, indices, weights = [], [], []
    start, step, total, targets = 0, min(size, 64), 0, 1
    while start < size:
        found, targets = _reached(path, np.arange(start, min(start + step, size)))
        counts.append(np.bincount(found.rows, minlength=min(step, size - start)))
        indices.append(found.targets.astype(np.int32))
        weights.append(found.factors)
        total += len(found.rows)
        if total > MOST_SYNAPSES:
            raise KgennError([too_many_synapses(where)])
        start += step
        step = max(1, min(MOST_REACHED * step // max(len(found.rows), 1), 4 * step))
    indptr = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    return Sparse(np.concatenate(weights), indptr, np.concatenate(indices), targets)


def _reached(path: Path, sources: Array) -> tuple[Reach, int]:
    """Return what some source values reach at the end of a chain, sorted, and the size of the end."""
    state, shape = Reach(np.arange(len(sources)), sources, np.ones(len(sources))), path.shape
    for layer in path.layers:
        step = layer.reach(shape, state.targets)
        shape = layer.output_shape(shape)
        state = _merged(
            Reach(state.rows[step.rows], step.targets, state.factors[step.rows] * step.factors), prod(shape)
        )
    return state, prod(shape)


def _merged(reach: Reach, size: int) -> Reach:
    """Add up the contributions of one value to one target, and sort them by both."""
    key = reach.rows * size + reach.targets
    order = np.argsort(key, kind="stable")
    key = key[order]
    first = np.flatnonzero(np.diff(key, prepend=-1))
    factors = np.add.reduceat(reach.factors[order], first) if len(first) else reach.factors
    some = factors != 0
    rows, targets = np.divmod(key[first][some], size)
    return Reach(rows, targets, factors[some])
