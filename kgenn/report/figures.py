"""Figures that stand alone, drawn with matplotlib: SVG or PNG, the same bytes every time."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path

from kgenn.report.sweep.canvas import PNG_DPI, UNIT, look

Kind = Literal["svg", "png"]


def figure_of(width: float, height: float, constrained: bool = True) -> Figure:
    """Return an empty figure of a size in pixels; use inside `look`."""
    layout: Literal["constrained"] | None = "constrained" if constrained else None
    return Figure(figsize=(width / UNIT, height / UNIT), dpi=UNIT, layout=layout)


def written_as(figure: Figure, kind: Kind) -> bytes:
    """Return a figure on white."""
    buffer = io.BytesIO()
    if kind == "png":
        figure.savefig(buffer, format="png", dpi=PNG_DPI, facecolor="white", metadata={"Software": None})
        return buffer.getvalue()
    metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", facecolor="white", metadata=metadata)
    return _numbered(buffer.getvalue())


def _numbered(svg: bytes) -> bytes:
    """Return an SVG whose clip paths are numbered in the order of their use.

    matplotlib names them by a hash of their position, whose last bits differ from one solution of the constrained
    layout to the next.
    """
    names = dict.fromkeys(re.findall(rb'clip-path="url\(#(\w+)\)"', svg))
    for number, name in enumerate(names):
        svg = svg.replace(name, b"clip%d" % number)
    return svg


# Fill and edge of a box by its role, of a label, and the lines, as in the SVG.
COLOURS = {"input": ("#d9e8f7", "#4f86bd"), "hidden": ("#fbe6cc", "#c98a3a"), "output": ("#d8eed9", "#56a05a")}
LABEL, LINES, INK, FAINT = ("#eceff2", "#8a939e"), "#8a939e", "#1c2733", "#7d8794"
# The font of the PNG is wider than those of a browser.
NAME, PLAIN, SMALL, TITLE = 11.0, 9.8, 9.0, 13.0


def painted(scene: Mapping[str, Any]) -> bytes:
    """Return a scene of `kgenn.report.picture` as a PNG."""
    with look():
        figure = figure_of(scene["width"], scene["height"], constrained=False)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, scene["width"])
        axes.set_ylim(scene["height"], 0)
        axes.set_axis_off()
        middle = scene["width"] / 2
        axes.text(middle, 28, scene["title"], fontsize=TITLE, weight="bold", color=FAINT, ha="center")
        axes.text(middle, 46, scene["subtitle"], fontsize=PLAIN, color=FAINT, ha="center")
        shift = scene["shift_x"], scene["shift_y"]
        for arrow in scene["arrows"]:
            _arrow(axes, arrow, shift)
        for arrow in scene["arrows"]:
            if arrow["label"]:
                _box(axes, arrow, shift, LABEL, 9.0)
                y = arrow["y"] + shift[1] + arrow["height"] / 2
                _text(axes, arrow["middle"] + shift[0], y, arrow["label"], SMALL)
        for box in scene["boxes"]:
            _box(axes, box, shift, COLOURS[box["role"]], 6.0)
            x, y = box["middle"] + shift[0], box["y"] + shift[1] + scene["line"] * 0.75
            _text(axes, x, y, box["name"], NAME, weight="bold")
            for number, text in enumerate(box["lines"], start=1):
                _text(axes, x, y + number * scene["line"], text, PLAIN)
        return written_as(figure, "png")


def _text(axes: Axes, x: float, y: float, text: str, size: float, weight: str = "normal") -> None:
    axes.text(x, y, text, fontsize=size, weight=weight, color=INK, ha="center", va="center")


def _box(
    axes: Axes, box: Mapping[str, Any], shift: tuple[float, float], colours: tuple[str, str], radius: float
) -> None:
    corner = box["x"] + shift[0], box["y"] + shift[1]
    style, (fill, edge) = f"round,pad=0,rounding_size={radius}", colours
    axes.add_patch(FancyBboxPatch(corner, box["width"], box["height"], style, facecolor=fill, edgecolor=edge))


def _arrow(axes: Axes, arrow: Mapping[str, Any], shift: tuple[float, float]) -> None:
    """Draw the strokes of an arrow, with the SVG commands M, C and V, and its head."""
    points: list[tuple[float, float]] = []
    codes: list[int] = []
    for command, values in arrow["strokes"]:
        if command == "V":
            points.append((points[-1][0], values[0] + shift[1]))
            codes.append(int(Path.LINETO))
            continue
        points += [(x + shift[0], y + shift[1]) for x, y in zip(values[::2], values[1::2], strict=True)]
        codes += [int(Path.MOVETO)] if command == "M" else [int(Path.CURVE4)] * 3
    dashes = (0, (4, 3)) if arrow["dashed"] else "-"
    axes.add_patch(PathPatch(Path(points, codes), fill=False, edgecolor=LINES, linewidth=1.6, linestyle=dashes))
    axes.plot(*points[-1], marker=(3, 0, 180), color=LINES, markersize=8, clip_on=False)
