"""Write piecewise linear functions as ReLUs, which is exact.

With knots t_0 < … < t_K, the values f_k there, and the slopes a below and b above them::

    f(x) = f_0 − a·ReLU(t_0 − x) + Σ_k (f_k − f_{k−1})·clip((x − t_{k−1})/(t_k − t_{k−1}), 0, 1) + b·ReLU(x − t_K)

The pieces between two knots are one population of ReLUs with a cap, "pieces"; what lies beyond is another, "ends".
A piece says where between two knots its input is, and is 0 below them and 1 above.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kgenn.ir.graph import Array, Graph, Layer, Node, Purpose
from kgenn.ir.output_activation import bends_of
from kgenn.layers.activation import Activation, PReLU, ReLU
from kgenn.layers.affine import Rescaling
from kgenn.layers.merge import Add
from kgenn.layers.pointwise import Pointwise
from kgenn.passes.options import LoweringOptions


@dataclass(frozen=True, eq=False)
class Straight:
    """A piecewise linear function of each channel, or of all alike.

    Attributes:
        knots: ascending, shape (channels or 1, K + 1).
        values: at the knots, of the same shape.
        below, above: the slopes beyond the outer knots, shape (channels or 1,); None where it is constant there.
    """

    knots: Array
    values: Array
    below: Array | None = None
    above: Array | None = None

    def __call__(self, x: Array) -> Array:
        """Return the function of values of shape (..., channels)."""
        first, last = self.knots[:, 0], self.knots[:, -1]
        y = self.values[:, 0] * np.ones_like(x)
        for left, right, step in zip(
            self.knots.T[:-1], self.knots.T[1:], np.diff(self.values, axis=1).T, strict=True
        ):
            y += step * np.clip((x - left) / (right - left), 0, 1)
        if self.below is not None:
            y -= self.below * np.maximum(first - x, 0)
        if self.above is not None:
            y += self.above * np.maximum(x - last, 0)
        return y

    def nodes(self, node: Node, channels: int) -> list[Node]:
        """Return nodes that compute the function in place of a node; the last one has its name."""
        parts = [part for part in (self._pieces(node, channels), self._ends(node, channels)) if part]
        made = [new for part in parts for new in part]
        sums = tuple(part[-1].name for part in parts)
        if len(parts) == 2:
            made.append(Node(f"{node.name}/sum", Add(), sums, node.origin))
        return [*made, _rescaled(node, node.name, 1.0, self.values[:, 0], (made[-1].name,))]

    def _pieces(self, node: Node, channels: int) -> list[Node]:
        """Return the part between the knots; nothing where there is one knot."""
        widths = np.diff(self.knots, axis=1)
        if not widths.shape[1]:
            return []
        gains = _each(1 / widths, channels)[:, None]
        starts = _each(-self.knots[:, :-1] / widths, channels).ravel()
        heights = _each(np.diff(self.values, axis=1), channels)[:, :, None]
        return _population(node, "pieces", gains, starts, heights, ReLU(1.0))

    def _ends(self, node: Node, channels: int) -> list[Node]:
        """Return the part beyond the knots; nothing where the function is constant there."""
        outer = [
            (sign, -sign * knot, sign * slope)
            for sign, knot, slope in ((-1.0, self.knots[:, 0], self.below), (1.0, self.knots[:, -1], self.above))
            if slope is not None
        ]
        if not outer:
            return []
        signs = np.tile(np.array([sign for sign, _, _ in outer]), (channels, 1, 1))
        starts = _each(np.stack([start for _, start, _ in outer], axis=1), channels).ravel()
        slopes = _each(np.stack([slope for _, _, slope in outer], axis=1), channels)[:, :, None]
        return _population(node, "ends", signs, starts, slopes, ReLU())


def _each(values: Array, channels: int) -> Array:
    """Return values for each channel."""
    each: Array = np.broadcast_to(values, (channels, *values.shape[1:]))
    return each


def _rescaled(node: Node, name: str, scale: float, shift: Array, reads: tuple[str, ...]) -> Node:
    layer = Rescaling(np.full(1, scale, np.float32), shift.astype(np.float32))
    return Node(name, layer, reads, node.origin)


def _population(node: Node, word: Purpose, gains: Array, starts: Array, heights: Array, relu: ReLU) -> list[Node]:
    """Return the nodes of Σ heights·ReLU(gains·x + starts), the kernels (channels, 1, n) and (…, n, 1)."""
    made: list[Node] = []

    def add(name: str, layer: Layer, purpose: Purpose | None = None) -> None:
        reads = (made[-1].name,) if made else node.inputs
        made.append(Node(f"{node.name}/{name}", layer, reads, node.origin, purpose))

    add(f"{word}/gains", Pointwise(gains.astype(np.float32)))
    if starts.any() or word == "pieces":
        add(f"{word}/starts", Rescaling(np.ones(1, np.float32), starts.astype(np.float32)))
    add(word, relu, word)
    add(f"{word}/heights", Pointwise(heights.astype(np.float32)))
    return made


def straighten(graph: Graph, options: LoweringOptions) -> Graph:
    """Write each piecewise linear function without a jump as ReLUs.

    Such as a ReLU with slopes, a clip, a hard sigmoid. One with a jump is left to `kgenn.passes.pieces`.
    """

    def change(node: Node) -> Sequence[Node] | None:
        channels = graph.shapes[node.name][-1]
        if isinstance(node.layer, PReLU):
            return _with_slopes(node, node.layer, channels)
        bends = straight_bends(node.layer)
        if bends is None or any(jumps_at(node.layer, bend) for bend in bends):
            return None
        return exact(node.layer, bends).nodes(node, channels)

    return graph.edit(change)


def straight_bends(layer: Layer) -> tuple[float, ...] | None:
    """Return where the straight parts of a layer's function meet; None for a curve, and a plain ReLU."""
    if not isinstance(layer, ReLU | Activation) or (isinstance(layer, ReLU) and layer.is_plain):
        return None
    function = layer.on_host()
    return bends_of(function.name, function.params)


def jumps_at(layer: Layer, bend: float) -> bool:
    """Tell whether a layer's function is not continuous at a bend."""
    near = 1e-6 * max(abs(bend), 1e-3)
    below, above = layer.forward(np.array([bend - near, bend + near]))
    return bool(abs(above - below) > 1e-3 * max(abs(bend), 1e-3))


def exact(layer: Layer, bends: Sequence[float], width: float = 0.0) -> Straight:
    """Return the function of a layer that is straight between its bends.

    Args:
        width: of the ramp that stands for a jump.
    """
    jumps = {bend for bend in bends if jumps_at(layer, bend)}
    knots = [knot for b in bends for knot in ((b - width / 2, b + width / 2) if b in jumps else (b,))]

    def at(*x: float) -> Array:
        return layer.forward(np.array(x, np.float64))

    below, above = np.diff(at(knots[0] - 1, knots[0])), np.diff(at(knots[-1], knots[-1] + 1))
    return Straight(
        np.array([knots]), at(*knots)[None], below if below.any() else None, above if above.any() else None
    )


def _with_slopes(node: Node, layer: PReLU, channels: int) -> Sequence[Node]:
    """Return ReLU(x) − α·ReLU(−x), with a slope for each channel, or for each value."""
    alpha = np.asarray(layer.alpha, np.float64)
    if alpha.size in (1, channels):
        zero = np.zeros((alpha.size, 1))
        return Straight(zero, zero, alpha.reshape(-1), np.ones(alpha.size)).nodes(node, channels)
    alpha = np.broadcast_to(alpha, (*alpha.shape[:-1], channels))
    signs = Pointwise(np.tile(np.array([-1.0, 1.0], np.float32), (channels, 1, 1)))
    slopes = np.stack([-alpha, np.ones_like(alpha)], axis=-1).reshape(*alpha.shape[:-1], -1)
    both = Node(f"{node.name}/ends/gains", signs, node.inputs, node.origin)
    relu = Node(f"{node.name}/ends", ReLU(), (both.name,), node.origin, "ends")
    scaled = Rescaling(slopes.astype(np.float32), np.zeros(1, np.float32))
    heights = Node(f"{node.name}/ends/slopes", scaled, (relu.name,), node.origin)
    return (
        both,
        relu,
        heights,
        Node(node.name, Pointwise(np.ones((channels, 2, 1), np.float32)), (heights.name,), node.origin),
    )
