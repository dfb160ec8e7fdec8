"""Lay out a directed acyclic graph in rows, from top to bottom (Sugiyama et al. 1981).

Boxes stand in even rows, by the longest way from a source. Each arrow passes every row between its ends as a
point; the point in the odd row nearest the middle is as wide as the arrow's label, so that labels, boxes and
arrows never overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

# Pixels between neighbours in a row, between rows, and kept free for a passing arrow.
GAP = 28.0
ROW_GAP = 20.0
DUMMY_WIDTH = 10.0
# Sweeps down and up; orders settle after a few.
ORDER_SWEEPS = 8
PLACE_SWEEPS = 24


@dataclass(frozen=True)
class Size:
    """The width and height of a box or a label."""

    width: float
    height: float


@dataclass(frozen=True)
class Placed:
    """A layout.

    Attributes:
        boxes: the centre of each box.
        arrows: for each arrow the centres and heights of the points it passes, (x, y, height).
        labels: for each arrow the centre of its label.
        size: of the whole.
    """

    boxes: tuple[tuple[float, float], ...]
    arrows: tuple[tuple[tuple[float, float, float], ...], ...]
    labels: tuple[tuple[float, float], ...]
    size: Size


def place(boxes: Sequence[Size], arrows: Sequence[tuple[int, int]], labels: Sequence[Size]) -> Placed:
    """Lay out a graph.

    Args:
        boxes: in topological order.
        arrows: the boxes that each runs from and to, as indices.
        labels: of each arrow.
    """
    ranks = _ranks(len(boxes), arrows)
    items, row_of = list(boxes), list(ranks)
    routes: list[list[int]] = []
    middles: list[int] = []
    for (source, target), label in zip(arrows, labels, strict=True):
        rows = range(ranks[source] + 1, ranks[target])
        middle = ranks[source] + 1 + (ranks[target] - ranks[source] - 2) // 4 * 2
        dummies = list(range(len(items), len(items) + len(rows)))
        items += [label if row == middle else Size(DUMMY_WIDTH, 0.0) for row in rows]
        row_of += rows
        middles.append(dummies[middle - rows.start])
        routes.append(dummies)
    chains = [[a, *dummies, b] for (a, b), dummies in zip(arrows, routes, strict=True)]
    links = [pair for chain in chains for pair in pairwise(chain)]
    rows_of_items = _ordered(row_of, links)
    x = _positions(items, rows_of_items, links)
    y, height = _heights(items, rows_of_items)
    left = min((x[i] - s.width / 2 for i, s in enumerate(items)), default=0.0)
    right = max((x[i] + s.width / 2 for i, s in enumerate(items)), default=0.0)
    tall = [max((items[i].height for i in row), default=0.0) for row in rows_of_items]

    def point(i: int) -> tuple[float, float]:
        return x[i] - left, y[row_of[i]]

    return Placed(
        boxes=tuple(point(i) for i in range(len(boxes))),
        arrows=tuple(tuple((*point(i), tall[row_of[i]]) for i in dummies) for dummies in routes),
        labels=tuple(point(i) for i in middles),
        size=Size(right - left, height),
    )


def _ranks(count: int, arrows: Sequence[tuple[int, int]]) -> list[int]:
    """Return twice the longest way to each box."""
    ranks = [0] * count
    for source, target in sorted(arrows, key=lambda arrow: arrow[1]):
        ranks[target] = max(ranks[target], ranks[source] + 2)
    return ranks


def _neighbours(links: Sequence[tuple[int, int]], down: bool) -> Mapping[int, list[int]]:
    """Return for each item those it is linked to in the row before (`down`) or after it."""
    found: dict[int, list[int]] = {}
    for a, b in links:
        here, there = (b, a) if down else (a, b)
        found.setdefault(here, []).append(there)
    return found


def _ordered(row_of: Sequence[int], links: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Return the rows, each ordered by the mean position of its neighbours, which keeps crossings few."""
    rows: list[list[int]] = [[] for _ in range(max(row_of, default=-1) + 1)]
    for item, number in enumerate(row_of):
        rows[number].append(item)
    for sweep in range(ORDER_SWEEPS):
        down = sweep % 2 == 0
        neighbours = _neighbours(links, down)
        position = {item: i / max(len(row) - 1, 1) for row in rows for i, item in enumerate(row)}
        for row in rows if down else reversed(rows):
            means = {i: _mean([position[n] for n in neighbours.get(i, [i])]) for i in row}
            row.sort(key=means.__getitem__)
            position.update({item: i / max(len(row) - 1, 1) for i, item in enumerate(row)})
    return rows


def _positions(items: Sequence[Size], rows: Sequence[list[int]], links: Sequence[tuple[int, int]]) -> list[float]:
    """Return the centre of each item: near its neighbours, without overlap."""
    x = [0.0] * len(items)
    both = (_neighbours(links, True), _neighbours(links, False))
    for sweep in range(PLACE_SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            near = [both[0].get(i, []) + both[1].get(i, []) for i in row]
            ideal = [_mean([x[n] for n in group]) if group else x[i] for i, group in zip(row, near, strict=True)]
            for item, place in zip(row, _spread(ideal, [items[i].width for i in row]), strict=True):
                x[item] = place
    return x


def _spread(ideal: Sequence[float], widths: Sequence[float]) -> list[float]:
    """Return the positions nearest to those wanted, in least squares, that keep order and distance.

    With the distances taken off it is an isotonic regression, solved by pooling adjacent violators.
    """
    offsets = [0.0]
    for before, after in pairwise(widths):
        offsets.append(offsets[-1] + (before + after) / 2 + GAP)
    pools: list[tuple[float, int]] = []
    for place, offset in zip(ideal, offsets, strict=False):
        value, count = place - offset, 1
        while pools and pools[-1][0] > value:
            other, number = pools.pop()
            value, count = (value * count + other * number) / (count + number), count + number
        pools.append((value, count))
    flat = [value for value, count in pools for _ in range(count)]
    return [value + offset for value, offset in zip(flat, offsets, strict=False)]


def _heights(items: Sequence[Size], rows: Sequence[list[int]]) -> tuple[list[float], float]:
    """Return the centre of each row, and the height of all."""
    centres, top = [], 0.0
    for row in rows:
        height = max((items[i].height for i in row), default=0.0)
        centres.append(top + height / 2)
        top += height + ROW_GAP
    return centres, max(top - ROW_GAP, 0.0)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
