"""Figures that stand alone: drawn with matplotlib, written as an SVG or a PNG, the same bytes every time."""

from __future__ import annotations

import io
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
    else:
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", facecolor="white", metadata=metadata)
    return buffer.getvalue()
