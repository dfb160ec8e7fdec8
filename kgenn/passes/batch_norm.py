"""Fold batch normalisation and rescaling into the weights before them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kgenn.ir.graph import Array, Graph, Node
from kgenn.layers.affine import Affine
from kgenn.layers.conv import Conv
from kgenn.layers.dense import Dense
from kgenn.passes.options import LoweringOptions


def fold_affine(kernel: Array, bias: Array | None, scale: Array, shift: Array) -> tuple[Array, Array | None]:
    """Fold y · scale + shift into the linear layer that computes y.

    Since (x · kernel + bias) · scale + shift = x · (kernel · scale) + (bias · scale + shift)::

        kernel' = kernel · scale        bias' = bias · scale + shift

    Args:
        kernel: shape (..., C_out).
        bias: shape (C_out,), or None for zeros.
        scale, shift: shape (C_out,) or one value.

    Returns:
        kernel' and bias' in float64; bias' is None where it is zero and there was none before.

    Source: Rueckauer et al. 2017, doi:10.3389/fnins.2017.00682.
    """
    folded = np.multiply(kernel, scale, dtype=np.float64)
    if bias is None and not shift.any():
        return folded, None
    old = np.zeros(kernel.shape[-1]) if bias is None else bias.astype(np.float64)
    return folded, np.broadcast_to(old * scale + shift, old.shape)


def fold_batch_norm(graph: Graph, options: LoweringOptions) -> Graph:
    """Fold each per-channel affine layer into the convolution or dense layer that it alone reads.

    Declines where the layer before has no weights or other consumers; the scale then becomes part of the
    connections that leave it.
    """
    seen: dict[str, Node] = {}
    notes: dict[str, list[str]] = {}

    def change(node: Node) -> Sequence[Node] | None:
        seen[node.name] = node
        if not isinstance(node.layer, Affine) or not node.inputs:
            return None
        source = seen[node.inputs[0]]
        reason = _declined(graph, node.layer, source)
        if reason:
            note = f"{node.name}: not folded into {source.name}, {reason}; it joins the connections after it"
            notes.setdefault(node.origin or node.name, []).append(note)
            return None
        assert isinstance(source.layer, Conv | Dense)
        kernel, bias = fold_affine(source.layer.kernel, source.layer.bias, *node.layer.scale_shift())
        seen[node.name] = replace(
            node, layer=replace(source.layer, kernel=kernel, bias=bias), inputs=source.inputs
        )
        return (seen[node.name],)

    folded = graph.edit(change).pruned()
    # a layer may be many here, one for each part of a concatenation that it normalised
    return folded.noted(
        *(
            note[0] if len(note) == 1 else f"{origin}: {len(note)} parts of it join the connections after them"
            for origin, note in notes.items()
        )
    )


def _declined(graph: Graph, layer: Affine, source: Node) -> str:
    """Return why the layer cannot be folded into `source`; empty where it can."""
    if not isinstance(source.layer, Conv | Dense):
        return "which has no weights"
    if source.name in graph.consumers and len(graph.consumers[source.name]) > 1:
        return "which others read too"
    if source.name in graph.ends:
        return "which is an output"
    channels = source.layer.kernel.shape[-1]
    if any(part.size != 1 and part.shape != (channels,) for part in layer.scale_shift()):
        return "since its scale differs from pixel to pixel"
    return ""
