"""Draw with matplotlib: one look, reproducible bytes, an SVG and a PNG of the same figure."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from kgenn.report.sweep.svg import themed
from kgenn.report.sweep.text import amount, printable
from kgenn.report.sweep.theme import LIGHT, SeriesStyle

# Pixels of the page, in which a figure is measured; a PNG has twice as many.
UNIT = 72
WIDTH = 440.0
PNG_DPI = 2 * UNIT
MAX_TICKS = 9
LOOK = {
    "svg.fonttype": "none",
    "svg.hashsalt": "kgenn",
    "text.parse_math": False,  # a name from a file is not mathematics
    "text.usetex": False,
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 11,
    "axes.edgecolor": LIGHT["muted"],
    "axes.labelcolor": LIGHT["muted"],
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": False,
    "text.color": LIGHT["ink"],
    "xtick.color": LIGHT["muted"],
    "ytick.color": LIGHT["muted"],
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "grid.color": LIGHT["grid"],
    "grid.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "lines.linewidth": 1.8,
    "lines.markersize": 6.0,
    "legend.frameon": False,
    "legend.fontsize": 10,
}


@dataclass(frozen=True)
class Plot:
    """A finished plot.

    Attributes:
        name: of its file and ids; unique in the report.
        title, caption: in words; the caption holds for every plot of the kind.
        note: what holds for this one; may be empty.
        svg: for the page.
        png: with the legend below.
    """

    name: str
    title: str
    caption: str
    note: str
    svg: str = field(repr=False)
    png: bytes = field(repr=False)


def log_ticks(low: float, high: float, base: int) -> list[float]:
    """Return ticks of a logarithmic axis from `low` to `high`: powers of 2, or round numbers, three to nine."""
    decades = range(math.floor(math.log(low, base)), math.ceil(math.log(high, base)) + 1)
    ticks: list[float] = []
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 6, 8), tuple(n / 10 for n in range(10, 100))):
        if base == 2 and ticks:
            break
        ticks = [n * float(base) ** k for k in decades for n in steps if low <= n * float(base) ** k <= high]
        if len(ticks) >= 3:
            break
    return ticks[:: math.ceil(len(ticks) / MAX_TICKS) or 1] or [math.sqrt(low * high)]


@contextmanager
def look() -> Iterator[None]:
    """Draw in the report's look, whatever the user's matplotlibrc says."""
    with matplotlib.style.context(["default", LOOK]), warnings.catch_warnings():
        # the PNG shows a box for a letter that the font lacks; the page has other fonts
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


class Canvas:
    """A figure in the making; use inside `look`."""

    def __init__(self, height: float, rows: int = 1, columns: int = 1) -> None:
        self.figure = Figure(figsize=(WIDTH / UNIT, height / UNIT), dpi=UNIT, layout="constrained")
        self.panels: list[Axes] = list(self.figure.subplots(rows, columns, sharex=True, squeeze=False).ravel())
        self.tips: dict[str, str] = {}
        self.legend: dict[str, SeriesStyle] = {}

    @property
    def axes(self) -> Axes:
        """Return the only, or the last, panel."""
        return self.panels[-1]

    def line(
        self, x: Sequence[float], y: Sequence[float], style: SeriesStyle, tip: str, width: float = 1.8
    ) -> None:
        """Draw a line of a series."""
        if len(x) > 1:
            dashes = (0, style.dashes) if style.dashes else "-"
            (drawn,) = self.axes.plot(x, y, color=style.colour, linestyle=dashes, linewidth=width)
            drawn.set_gid(self._tip(tip))
        self.legend.setdefault(style.label, style)

    def mark(self, x: float, y: float, style: SeriesStyle, tip: str) -> None:
        """Draw a mark of a series."""
        (drawn,) = self.axes.plot([x], [y], color=style.colour, marker=style.marker, linestyle="none")
        drawn.set_gid(self._tip(tip))
        self.legend.setdefault(style.label, style)

    def reference(self, value: float, label: str, vertical: bool = False) -> None:
        """Draw a dashed line across, with its name at the end."""
        axes = self.axes
        draw, end, across = (
            (axes.axvline, (value, 0.0), axes.get_xaxis_transform())
            if vertical
            else (axes.axhline, (1.0, value), axes.get_yaxis_transform())
        )
        draw(value, color=LIGHT["muted"], linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            label,
            end,
            (-3, 4) if vertical else (-2, 2),
            xycoords=across,
            textcoords="offset points",
            rotation=90 if vertical else 0,
            color=LIGHT["muted"],
            fontsize=9.5,
            ha="right",
            va="bottom",
        )

    def logarithmic(self, label: str, values: Sequence[float], base: int = 10) -> None:
        """Make the x axis logarithmic, as long as some values need, with plain numbers at its ticks."""
        axis = self.axes.xaxis
        self.axes.set_xscale("log", base=base)
        self.axes.set_xlabel(label)
        low, high = min(values), max(values)
        margin = max((high / low) ** 0.05, 1.1)
        self.axes.set_xlim(low / margin, high * margin)
        axis.set_major_locator(FixedLocator(log_ticks(low / margin, high * margin, base)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: amount(value)))
        axis.set_minor_locator(NullLocator())

    def finish(self, name: str, title: str, caption: str, note: str = "") -> Plot:
        """Return the plot."""
        vector, pixels = io.BytesIO(), io.BytesIO()
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        self.figure.savefig(vector, format="svg", transparent=True, metadata=metadata)
        self.figure.set_layout_engine("none")  # what was laid out stays; title and legend lie outside
        self.figure.suptitle(printable(title), fontsize=12, y=1.01, va="bottom")
        handles = [
            Line2D([], [], color=s.colour, marker=s.marker, linestyle=(0, s.dashes) if s.dashes else "-")
            for s in self.legend.values()
        ]
        if handles:
            # matplotlib leaves out labels that start with an underscore
            labels = [f" {label}" if label.startswith("_") else label for label in map(printable, self.legend)]
            self.figure.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=1)
        self.figure.savefig(
            pixels, format="png", dpi=PNG_DPI, facecolor="white", bbox_inches="tight", metadata={"Software": None}
        )
        svg = themed(vector.getvalue(), name, title, f"{caption} {note}".strip(), self.tips)
        return Plot(name, title, caption, note, svg, pixels.getvalue())

    def _tip(self, text: str) -> str:
        gid = f"tip-{len(self.tips)}"
        self.tips[gid] = text
        return gid
