"""Figures that stand alone: drawn with matplotlib, written as an SVG or a PNG, the same bytes every time."""

from __future__ import annotations

import io
import re
from typing import Literal

from matplotlib.figure import Figure

from kgenn.report.sweep.canvas import PNG_DPI, UNIT

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
