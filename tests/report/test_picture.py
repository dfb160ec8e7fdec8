"""Pictures: well-formed, escaped, and nothing lies on anything else."""

from __future__ import annotations

from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgenn.report.layout import Size, place
from kgenn.report.picture import Arrow, Box, draw

pytestmark = pytest.mark.quick

SVG = "{http://www.w3.org/2000/svg}"


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Size], list[tuple[int, int]], list[Size]]:
    """Return boxes, arrows and labels of a random graph in topological order."""
    sizes = st.builds(Size, st.integers(10, 200), st.integers(10, 60))
    boxes = draw(st.lists(sizes, min_size=1, max_size=9))
    ends = st.tuples(st.integers(0, len(boxes) - 1), st.integers(0, len(boxes) - 1)).filter(lambda e: e[0] < e[1])
    arrows = draw(st.lists(ends, max_size=14)) if len(boxes) > 1 else []
    labels = draw(st.lists(sizes, min_size=len(arrows), max_size=len(arrows)))
    return boxes, arrows, labels


@given(graphs())
def test_boxes_and_labels_never_overlap_and_lie_inside(
    graph: tuple[list[Size], list[tuple[int, int]], list[Size]],
) -> None:
    boxes, arrows, labels = graph
    placed = place(boxes, arrows, labels)
    rectangles = [
        (x - s.width / 2, y - s.height / 2, x + s.width / 2, y + s.height / 2)
        for (x, y), s in zip((*placed.boxes, *placed.labels), (*boxes, *labels), strict=True)
    ]
    for left, top, right, bottom in rectangles:
        assert left >= -1e-6
        assert top >= -1e-6
        assert right <= placed.size.width + 1e-6
        assert bottom <= placed.size.height + 1e-6
    for a, b in combinations(rectangles, 2):
        assert a[2] <= b[0] + 1e-6 or b[2] <= a[0] + 1e-6 or a[3] <= b[1] + 1e-6 or b[3] <= a[1] + 1e-6


@given(graphs())
def test_arrows_run_downwards_and_cross_no_box(
    graph: tuple[list[Size], list[tuple[int, int]], list[Size]],
) -> None:
    boxes, arrows, labels = graph
    placed = place(boxes, arrows, labels)
    for (source, target), lane in zip(arrows, placed.arrows, strict=True):
        heights = [placed.boxes[source][1], *(y for _, y, _ in lane), placed.boxes[target][1]]
        assert heights == sorted(heights)
        for x, y, _ in lane:
            for (box_x, box_y), size in zip(placed.boxes, boxes, strict=True):
                assert box_y != y or abs(x - box_x) > size.width / 2


def test_a_chain_is_straight() -> None:
    placed = place([Size(80, 40)] * 4, [(0, 1), (1, 2), (2, 3)], [Size(50, 20)] * 3)
    assert {x for x, _ in placed.boxes} == {40.0}


@pytest.mark.parametrize("name", ["<script>&\"'", "a]]>b", "nul\x00 esc\x1b", "層", "x" * 300, "\ud800"])
def test_names_are_escaped_and_the_picture_is_well_formed(name: str) -> None:
    boxes = [Box(name, ("1×1",), "input"), Box("b", (name,), "output")]
    root = ElementTree.fromstring(draw(name, "network", boxes, [Arrow(0, 1, name, True)]))
    allowed = {"svg", "title", "style", "defs", "marker", "path", "g", "rect", "text"}
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= allowed
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    assert printable in [element.text for element in root.iter(f"{SVG}title")]
