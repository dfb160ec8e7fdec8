"""Write a curved function as straight pieces, each of them a population of capped ReLUs.

See `kgenn.passes.straight` for what pieces are. Each channel has knots of its own, over the range of its inputs,
so that a channel of small values is as exact as one of large ones.

The knots lie where pieces reduce the error most: with a density of (p·f''²)^(1/5) for inputs of density p, which
is optimal for many knots (de Boor 1978, A Practical Guide to Splines). The values have the least squared error
over the inputs.

New inputs reach further than those of the calibration set. So one wide piece on either side goes straight on
beyond the outer knots, with the slope that the function has there. It is empty for inputs between them, so that
its width costs the other pieces no resolution. Beyond the wide pieces the function is constant.

A function that jumps has a narrow ramp in place of each jump.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from kgenn.diagnostics import fail
from kgenn.ir.graph import Array, Graph, Layer, Node
from kgenn.layers.activation import Activation, Curve, ReLU
from kgenn.passes.straight import Straight, exact, narrowed, straight_bends, through
from kgenn.passes.values import NodeValues

# Points at which a function is looked at.
GRID = 1024
# What lies beyond the range of the calibration set is covered so far, as a share of the range.
MARGIN = 0.25
# How wide the piece beyond an outer knot is, as a share of the range.
REACH = 1.0
# The range of a channel is at least this share of the widest channel's: one that is still has no range of its own.
NARROWEST = 1 / 256
# The share of the knots' density that is even over the range, so that no part of it is without a knot.
EVEN = 0.1
# The weight of the even grid beside the inputs, in the least squares.
EVEN_WEIGHT = 1e-3
# The least value of a function of values above zero, as a share of the largest: float32 has no finer sums.
MIN_VALUE = 1e-7
# The width of the ramp that stands for a jump, as a share of the range of the inputs.
RAMP = 1 / 256

Function = Callable[[Array], Array]


def fitted(function: Function, seen: NodeValues, count: int, positive: bool = False) -> Straight:
    """Return `count` pieces of a function for each channel, of least squared error over the values seen.

    A wide piece on either side comes on top of them.

    Args:
        function: of values of any shape, element by element.
        positive: the function is of values above zero alone; the grid is even in their logarithm.
    """
    low, high = _covered(seen, positive)
    u = np.linspace(0, 1, GRID)
    if positive:
        x = low[:, None] * (high / low)[:, None] ** u
        places = np.log(np.maximum(seen.some, low) / low) / np.log(high / low)
    else:
        x = low[:, None] + (high - low)[:, None] * u
        places = (seen.some - low) / (high - low)
    y = function(x)
    mass = np.histogram(places, GRID, (0, 1))[0] / max(places.size, 1)
    mass = np.convolve(mass, np.ones(9) / 9, "same")
    knots = _knots(x, y, mass, count)
    values = _values(x, y, mass + EVEN_WEIGHT / GRID, knots, function(knots))
    return through(*_continued(function, knots, values, positive), np.median(seen.some, axis=0))


def _continued(function: Function, knots: Array, values: Array, positive: bool) -> tuple[Array, Array]:
    """Return knots and values with further ones on straight lines through the outer knots.

    A line has the slope of the function over `MARGIN` beyond the knot. A function of values above zero goes on
    above its knots alone: below them it may be as steep as a reciprocal near 0.
    """
    low, high = knots[:, :1], knots[:, -1:]
    sides = [(high, high)] if positive else [(low, low - high), (high, high - low)]
    for end, reach in sides:
        there = function(end)
        rise = (function(end + MARGIN * reach) - there) * (REACH / MARGIN)
        knots, values = (
            np.append(knots, end + REACH * reach, axis=1),
            np.append(values, there + rise, axis=1),
        )
    order = np.argsort(knots, axis=1)
    return np.take_along_axis(knots, order, axis=1), np.take_along_axis(values, order, axis=1)


def _covered(seen: NodeValues, positive: bool) -> tuple[Array, Array]:
    """Return the ends of the range of each channel in which the function is followed, shape (channels,)."""
    least = max(NARROWEST * float((seen.high - seen.low).max()), 1e-6)
    missing = np.maximum(least - (seen.high - seen.low), 0) / 2
    low, high = seen.low - missing, seen.high + missing
    margin = MARGIN * (high - low)
    if not positive:
        return low - margin, high + margin
    still = max(NARROWEST * float(seen.high.max()), 1e-6)  # of a channel that is never above zero
    top = np.where(seen.high > 0, np.maximum(seen.high, 1e-30), still) * (1 + MARGIN)
    return np.maximum(seen.low, MIN_VALUE * top) / (1 + MARGIN), top


def _knots(x: Array, y: Array, mass: Array, count: int) -> Array:
    """Return ascending knots, shape (channels, count + 1), on a grid of shape (channels, GRID)."""
    steps = np.diff(x, axis=1)
    slopes = np.diff(y, axis=1) / steps
    middle = (x[:, 2:] - x[:, :-2]) / 2
    bend = np.pad(np.diff(slopes, axis=1) / middle, ((0, 0), (1, 1)), "edge")
    widths = np.pad(middle, ((0, 0), (1, 1)), "edge")
    density = (mass / widths * bend**2) ** 0.2 * widths
    density = density / np.maximum(density.sum(axis=1, keepdims=True), 1e-30) + EVEN / GRID
    place = np.cumsum(np.pad(density[:, :-1], ((0, 0), (1, 0))), axis=1)
    shares = np.linspace(0, 1, count + 1)
    return np.stack([np.interp(shares * p[-1], p, points) for p, points in zip(place, x, strict=True)])


def _values(x: Array, y: Array, weight: Array, knots: Array, exactly: Array) -> Array:
    """Return the values at knots of least weighted squared error, shape (channels, knots).

    Args:
        x, y: the function, shape (channels, GRID).
        weight: of each point of the grid, shape (GRID,).
        exactly: the function at the knots, which decides where no point of the grid says anything.
    """
    channels, count = knots.shape
    piece = np.stack([np.searchsorted(k[1:-1], points, "right") for k, points in zip(knots, x, strict=True)])
    left, right = (np.take_along_axis(knots, piece + i, axis=1) for i in (0, 1))
    up = np.clip((x - left) / (right - left), 0, 1)
    at = piece + count * np.arange(channels)[:, None]

    def summed(place: Array, values: Array) -> Array:
        return np.bincount(place.ravel(), values.ravel(), channels * count).reshape(channels, count)

    down, prior = 1 - up, 1e-6 / count
    diagonal = summed(at, weight * down**2) + summed(at + 1, weight * up**2) + prior
    beside = summed(at, weight * up * down)[:, :-1]
    moments = summed(at, weight * down * y) + summed(at + 1, weight * up * y) + prior * exactly
    matrix = np.zeros((channels, count, count))
    index = np.arange(count)
    matrix[:, index, index] = diagonal
    matrix[:, index[:-1], index[1:]] = matrix[:, index[1:], index[:-1]] = beside
    solved: Array = np.linalg.solve(matrix, moments[:, :, None])[:, :, 0]
    return solved


def curves(graph: Graph) -> tuple[str, ...]:
    """Return the nodes of a lowered graph that `in_pieces` writes as pieces."""
    return tuple(node.name for node in graph.nodes if is_curve(node.layer))


def is_curve(layer: Layer) -> bool:
    """Tell whether a layer of a lowered graph has to be written as pieces."""
    return isinstance(layer, Curve) or (isinstance(layer, ReLU) and not layer.is_plain)


def in_pieces(graph: Graph, values: Mapping[str, NodeValues], count: int) -> Graph:
    """Return a graph whose activations inside the network are pieces.

    Args:
        values: of what each activation is applied to, by that node's name.
        count: of the pieces of one activation.
    """
    notes: list[str] = []

    def change(node: Node) -> Sequence[Node] | None:
        layer = node.layer
        if not is_curve(layer):
            return None
        seen = values[node.inputs[0]]
        straight, words = _of_layer(layer, seen, count)
        with np.errstate(divide="ignore", invalid="ignore"):  # assumed values are of both signs, and 0
            function = layer.forward(seen.some)
            wrong = float(np.sqrt(np.mean((straight(seen.some) - function) ** 2)))
            spread = max(float(np.std(function)), 1e-30)
        notes.append(f"{node.name}: {layer.role} is {words}, off by {wrong / spread:.2g} of its spread")
        return straight.nodes(node, graph.shapes[node.name][-1])

    return graph.edit(change).noted(*notes)


def is_reciprocal(layer: Layer) -> bool:
    """Tell whether a layer computes 1/x."""
    return isinstance(layer, Activation) and layer.function == "reciprocal"


def check_divisors(graph: Graph, values: Mapping[str, NodeValues]) -> None:
    """Raise KG402 where values are divided by whose reciprocal goes from one infinity to the other.

    Args:
        values: as for `in_pieces`.
    """
    for node in graph.nodes:
        if not is_reciprocal(node.layer):
            continue
        seen = values[node.inputs[0]]
        if ((seen.low < 0) & (seen.high > 0)).any():
            ends = f"{float(seen.low.min()):.2g} to {float(seen.high.max()):.2g}"
            what = f"divides by values from {ends} on the calibration set, and 1/x is not continuous at 0"
            remedy = "divide by values of one sign in the model, such as |x| + 0.001"
            raise fail("KG402", node.name, what, remedy)


def _of_layer(layer: Layer, seen: NodeValues, count: int) -> tuple[Straight, str]:
    """Return the pieces of a layer, and what they are in a few words."""
    bends = straight_bends(layer)
    if bends is None:
        assert isinstance(layer, Curve)
        if is_reciprocal(layer) and (seen.high < 0).any():
            # 1/x = −1/(−x)
            signs = np.where(seen.high < 0, -1.0, 1.0)
            above = fitted(layer.forward, seen.mirrored(signs), count, positive=True)
            return above.mirrored(signs), f"{count} pieces"
        return fitted(layer.forward, seen, count, layer.positive), f"{count} pieces"
    whole = max(float(seen.high.max() - seen.low.min()), 1e-6)
    low, high = _covered(seen, False)
    return narrowed(exact(layer, bends, RAMP * whole), low, high, RAMP * whole), "straight where it is"
