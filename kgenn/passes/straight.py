"""Write piecewise linear functions as ReLUs, which is exact.

With pieces from a_k to b_k that are s_k high, and slopes c beyond an outer knot t on either side::

    f(x) = f_0 + Σ_k s_k·clip((x − a_k)/(b_k − a_k), 0, 1) + Σ c·ReLU(±(x − t))

The pieces are one population of ReLUs with a cap, "pieces"; what lies beyond is another, "ends". A piece says
where between its two ends the input is: it is empty at a_k, full at b_k, and either of them may be the larger. So
pieces are turned such that most of them are empty for most inputs, and send no spikes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kgenn.ir.graph import Array, Graph, Layer, Node, Purpose
from kgenn.ir.output_activation import bends_of
from kgenn.layers.activation import Activation, PReLU, ReLU
from kgenn.layers.affine import plus, times
from kgenn.layers.merge import Add
from kgenn.layers.pointwise import Pointwise
from kgenn.passes.options import LoweringOptions


@dataclass(frozen=True, eq=False)
class End:
    """What is added beyond an outer knot: slope·ReLU(sign·(x − knot)); arrays of shape (channels or 1,)."""

    sign: float
    knot: Array
    slope: Array


@dataclass(frozen=True, eq=False)
class Straight:
    """A piecewise linear function of each channel, or of all alike.

    Attributes:
        base: the value where every piece is empty, shape (channels or 1,).
        starts, stops: where each piece is empty, and full, shape (channels or 1, K).
        steps: how high each piece is, of the same shape.
        ends: what is added beyond the outer knots.
    """

    base: Array
    starts: Array
    stops: Array
    steps: Array
    ends: tuple[End, ...] = ()

    def __call__(self, x: Array) -> Array:
        """Return the function of values of shape (..., channels)."""
        y: Array = self.base * np.ones_like(x)
        for start, stop, step in zip(self.starts.T, self.stops.T, self.steps.T, strict=True):
            y += step * np.clip((x - start) / (stop - start), 0, 1)
        for end in self.ends:
            y += end.slope * np.maximum(end.sign * (x - end.knot), 0)
        return y

    def mirrored(self, signs: Array) -> Straight:
        """Return s·f(s·x) of a sign s of each channel, for a function without ends; shape (channels,)."""
        assert not self.ends
        columns = signs[:, None]
        return Straight(self.base * signs, self.starts * columns, self.stops * columns, self.steps * columns)

    def nodes(self, node: Node, channels: int) -> list[Node]:
        """Return nodes that compute the function in place of a node; the last one has its name."""
        parts = [part for part in (self._pieces(node, channels), self._beyond(node, channels)) if part]
        made = [new for part in parts for new in part]
        sums = tuple(part[-1].name for part in parts)
        if len(parts) == 2:
            made.append(Node(f"{node.name}/sum", Add(), sums, node.origin))
        return [*made, _shifted(node, self.base, made[-1].name)]

    def _pieces(self, node: Node, channels: int) -> list[Node]:
        if not self.steps.shape[1]:
            return []
        widths = self.stops - self.starts
        gains = _each(1 / widths, channels)[:, None]
        shifts = _each(-self.starts / widths, channels).ravel()
        return _population(node, "pieces", gains, shifts, _each(self.steps, channels)[:, :, None], ReLU(1.0))

    def _beyond(self, node: Node, channels: int) -> list[Node]:
        if not self.ends:
            return []
        signs = np.tile(np.array([end.sign for end in self.ends]), (channels, 1, 1))
        shifts = _each(np.stack([-end.sign * end.knot for end in self.ends], axis=1), channels).ravel()
        slopes = _each(np.stack([end.slope for end in self.ends], axis=1), channels)[:, :, None]
        return _population(node, "ends", signs, shifts, slopes, ReLU())


def through(knots: Array, values: Array, pivot: Array | None = None) -> Straight:
    """Return the function that is straight between knots, of shape (channels, K + 1), and constant beyond.

    Args:
        knots: ascending.
        pivot: inputs near which pieces are empty, on either side, shape (channels,); the first knot if not given.
    """
    first = knots[:, :1] if pivot is None else pivot[:, None]
    below = knots[:, 1:] <= first
    base = np.take_along_axis(values, below.sum(axis=1, keepdims=True), axis=1)[:, 0]
    left, right, steps = knots[:, :-1], knots[:, 1:], np.diff(values, axis=1)
    return Straight(base, *np.where(below, (right, left, -steps), (left, right, steps)))


def _each(values: Array, channels: int) -> Array:
    """Return values for each channel."""
    each: Array = np.broadcast_to(values, (channels, *values.shape[1:]))
    return each


def _shifted(node: Node, shift: Array, reads: str) -> Node:
    return Node(node.name, plus(shift.astype(np.float32)), (reads,), node.origin)


def _population(node: Node, word: Purpose, gains: Array, starts: Array, heights: Array, relu: ReLU) -> list[Node]:
    """Return the nodes of Σ heights·ReLU(gains·x + starts), the kernels (channels, 1, n) and (…, n, 1)."""
    made: list[Node] = []

    def add(name: str, layer: Layer, purpose: Purpose | None = None) -> None:
        reads = (made[-1].name,) if made else node.inputs
        made.append(Node(f"{node.name}/{name}", layer, reads, node.origin, purpose))

    add(f"{word}/gains", Pointwise(gains.astype(np.float32)))
    if starts.any() or word == "pieces":
        add(f"{word}/starts", plus(starts.astype(np.float32)))
    add(word, relu, word)
    add(f"{word}/heights", Pointwise(heights.astype(np.float32)))
    return made


def signed(node: Node, channels: int) -> list[Node]:
    """Return nodes that stand for the input of a node, x = ReLU(x) − ReLU(−x); the last one has its name."""
    return _two_sided(np.ones(1)).nodes(node, channels)


def _two_sided(slope: Array) -> Straight:
    """Return ReLU(x) − slope·ReLU(−x), with a slope of each channel or one for all."""
    zero, none = np.zeros(slope.size), np.zeros((1, 0))
    ends = (End(-1.0, zero, -slope), End(1.0, zero, np.ones(slope.size)))
    return Straight(np.zeros(1), none, none, none, ends)


def straighten(graph: Graph, options: LoweringOptions) -> Graph:
    """Write each ReLU with a slope below zero, and each other function of two straight parts, as two ReLUs.

    One with pieces between two knots, or with a jump, is left to `kgenn.passes.pieces`, which knows the range of
    the inputs.
    """

    def change(node: Node) -> Sequence[Node] | None:
        channels = graph.shapes[node.name][-1]
        if isinstance(node.layer, PReLU):
            return _with_slopes(node, node.layer, channels)
        bends = straight_bends(node.layer)
        if bends is None or any(jumps_at(node.layer, bend) for bend in bends):
            return None
        straight = exact(node.layer, bends)
        return None if straight.steps.shape[1] else straight.nodes(node, channels)

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

    (below,), (above,) = np.diff(at(knots[0] - 1, knots[0])), np.diff(at(knots[-1], knots[-1] + 1))
    beyond = ((-1.0, knots[0], -below), (1.0, knots[-1], above))
    ends = tuple(End(sign, np.full(1, knot), np.full(1, slope)) for sign, knot, slope in beyond if slope)
    whole = through(np.array([knots]), at(*knots)[None])
    some = np.flatnonzero(whole.steps[0])  # where it is constant it needs no piece
    return Straight(whole.base, whole.starts[:, some], whole.stops[:, some], whole.steps[:, some], ends)


def narrowed(straight: Straight, low: Array, high: Array, least: float) -> Straight:
    """Return the same function, its pieces cut where the range of the inputs ends: the inner ones say more.

    Args:
        straight: its pieces full above.
        low, high: the range of each channel, shape (channels,).
        least: width of a piece.
    """
    starts, stops, steps = (_each(part, len(low)) for part in (straight.starts, straight.stops, straight.steps))
    first, last = np.maximum(starts, low[:, None]), np.minimum(stops, high[:, None])
    inside = last - first >= least
    first = np.where(inside & (first - starts >= least), first, starts)
    last = np.where(inside & (stops - last >= least), last, stops)
    slopes = steps / (stops - starts)
    parts = []
    for left, right in ((first, starts), (first, last), (last, stops)):
        some = (right != left).any(axis=0)
        left, wide, slope = left[:, some], (right - left)[:, some], slopes[:, some]
        # where only other channels are cut, a piece of no height
        parts.append((left, left + np.where(wide, wide, 1.0), slope * wide))
    base = straight.base + (slopes * (first - starts)).sum(axis=1)
    starts, stops, steps = (np.concatenate(same, axis=1) for same in zip(*parts, strict=True))
    return Straight(base, starts, stops, steps, straight.ends)


def _with_slopes(node: Node, layer: PReLU, channels: int) -> Sequence[Node]:
    """Return ReLU(x) − α·ReLU(−x), with a slope for each channel, or for each value."""
    alpha = np.asarray(layer.alpha, np.float64)
    if alpha.size in (1, channels):
        return _two_sided(alpha.reshape(-1)).nodes(node, channels)
    alpha = np.broadcast_to(alpha, (*alpha.shape[:-1], channels))
    signs = Pointwise(np.tile(np.array([-1.0, 1.0], np.float32), (channels, 1, 1)))
    slopes = np.stack([-alpha, np.ones_like(alpha)], axis=-1).reshape(*alpha.shape[:-1], -1)
    both = Node(f"{node.name}/ends/gains", signs, node.inputs, node.origin)
    relu = Node(f"{node.name}/ends", ReLU(), (both.name,), node.origin, "ends")
    scaled = times(slopes.astype(np.float32))
    heights = Node(f"{node.name}/ends/slopes", scaled, (relu.name,), node.origin)
    return (
        both,
        relu,
        heights,
        Node(node.name, Pointwise(np.ones((channels, 2, 1), np.float32)), (heights.name,), node.origin),
    )
