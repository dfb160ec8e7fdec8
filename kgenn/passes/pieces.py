"""Write a smooth activation as straight pieces, each of them a population of capped ReLUs.

With knots t_0 < … < t_K and f̂ the values that are given to them::

    f(x) ≈ f̂_0 + Σ_k (f̂_k − f̂_{k−1}) · clip((x − t_{k−1})/(t_k − t_{k−1}), 0, 1)

A piece says where between two knots its input is, and is 0 below them and 1 above: so only one of them rounds, and
K pieces of L levels say K·L levels. Beyond the outer knots f̂ is constant.

The knots lie where pieces are worth most, with a density of (p·f''²)^(1/5) for inputs of density p, which is
optimal for many knots (de Boor 1978, A Practical Guide to Splines). The values have the least squared error over
the inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kgenn.ir.graph import Array, Graph, Node, Purpose
from kgenn.layers.activation import Activation, ReLU
from kgenn.layers.affine import Rescaling
from kgenn.layers.pointwise import Pointwise
from kgenn.passes.values import Values

# Points at which a function is looked at.
GRID = 4096
# What lies beyond the range of the calibration set is covered so far, as a share of the range.
MARGIN = 0.25
# The share of the knots' density that is even over the range, so that no part of it is without a knot.
EVEN = 0.1
# The weight of the even grid beside the inputs, in the least squares.
FAITH = 1e-3


@dataclass(frozen=True, eq=False)
class Pieces:
    """A piecewise linear function, constant beyond its outer knots.

    Attributes:
        knots: ascending, shape (K + 1,).
        values: at the knots, shape (K + 1,).
    """

    knots: Array
    values: Array

    def __call__(self, x: Array) -> Array:
        """Return the function of values of any shape."""
        return np.interp(x, self.knots, self.values)


def fitted(function: Callable[[Array], Array], seen: Values, count: int) -> Pieces:
    """Return `count` pieces for a function, of least squared error over the values seen."""
    low, high = seen.range
    margin = MARGIN * max(high - low, 1e-6)
    x = np.linspace(low - margin, high + margin, GRID)
    density = np.histogram(seen.some, GRID, (x[0], x[-1]))[0].astype(np.float64)
    density = np.convolve(density, np.ones(33) / 33, "same") / max(len(seen.some), 1)
    bend = np.gradient(np.gradient(function(x), x), x)
    wanted = (density * bend**2) ** 0.2
    wanted = wanted / max(wanted.sum(), 1e-30) + EVEN / GRID
    place = np.concatenate([[0], np.cumsum(wanted)[:-1]])
    knots = np.interp(np.linspace(0, place[-1], count + 1), place, x)
    return Pieces(knots, _values(function, knots, x, density + FAITH / GRID))


def _values(function: Callable[[Array], Array], knots: Array, x: Array, weight: Array) -> Array:
    """Return the values at knots of least weighted squared error."""
    hats = np.stack([np.interp(x, knots, unit) for unit in np.eye(len(knots))], axis=1)
    root = np.sqrt(weight)[:, None]
    values: Array = np.linalg.lstsq(hats * root, function(x) * root[:, 0], rcond=None)[0]
    return values


def in_pieces(graph: Graph, values: Mapping[str, Values], count: int) -> Graph:
    """Return a graph whose activations inside the network are pieces.

    Args:
        values: of what each activation is applied to, by that node's name.
        count: of the pieces of one activation.
    """
    notes: list[str] = []

    def change(node: Node) -> Sequence[Node] | None:
        layer = node.layer
        if not isinstance(layer, Activation):
            return None
        channels = graph.shapes[node.name][-1]
        seen = values[node.inputs[0]]

        def function(x: Array) -> Array:
            return layer.forward(np.asarray(x, np.float64))

        pieces = fitted(function, seen, count)
        wrong = float(np.sqrt(np.mean((pieces(seen.some) - function(seen.some)) ** 2)))
        spread = max(float(np.std(function(seen.some))), 1e-30)
        notes.append(f"{node.name}: {layer.function} is {count} pieces, off by {wrong / spread:.2g} of its spread")
        return _nodes(node, pieces, channels)

    return graph.edit(change).noted(*notes)


def _nodes(node: Node, pieces: Pieces, channels: int) -> Sequence[Node]:
    widths, steps = np.diff(pieces.knots), np.diff(pieces.values)
    one = np.ones(1, np.float32)
    gains = np.tile((1 / widths)[None, None], (channels, 1, 1)).astype(np.float32)
    starts = np.tile(-pieces.knots[:-1] / widths, channels).astype(np.float32)
    heights = np.tile(steps[None, :, None], (channels, 1, 1)).astype(np.float32)
    chain: list[Node] = []

    def add(name: str, layer: Pointwise | Rescaling | ReLU, purpose: Purpose | None = None) -> None:
        reads = (chain[-1].name,) if chain else node.inputs
        chain.append(Node(name, layer, reads, node.origin, purpose))

    add(f"{node.name}/gains", Pointwise(gains))
    add(f"{node.name}/starts", Rescaling(one, starts))
    add(f"{node.name}/pieces", ReLU(1.0), "pieces")
    add(f"{node.name}/heights", Pointwise(heights))
    add(node.name, Rescaling(one, np.full(1, pieces.values[0], np.float32)))
    return chain
