"""Draw with matplotlib: one look, reproducible bytes, an SVG for a page and a PNG of the same figure."""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from xml.etree import ElementTree

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from kgenn.report.sweep.text import amount, printable

# Name of the CSS variable: colour on white, colour on a dark page. A plot is drawn in the light colours, which
# are all different, and its SVG then names the variables instead.
COLOURS = {
    "s0": ("#1f5fa8", "#84b6f4"),
    "s1": ("#c04a0b", "#fb9d66"),
    "s2": ("#177a3e", "#6fd08e"),
    "s3": ("#8b34a3", "#d49bea"),
    "s4": ("#0d7288", "#61c9dd"),
    "s5": ("#b8195b", "#f78fb9"),
    "s6": ("#776300", "#d8c34d"),
    "s7": ("#57524b", "#c5beb5"),
    "ink": ("#1d2530", "#e6e9ee"),
    "muted": ("#626c79", "#9aa5b3"),
    "grid": ("#dfe3e8", "#333b46"),
    "front": ("#c9ced6", "#49525e"),
}
LIGHT = {name: light for name, (light, _) in COLOURS.items()}
NUM_SERIES_COLOURS = 8
# A mark as matplotlib names it, and as an SVG path of radius 4 around the origin, for the page's legend.
MARKS = (
    ("o", "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z"),
    ("s", "M-3.5-3.5h7v7h-7z"),
    ("^", "M0-4.2L4.2 3.4H-4.2z"),
    ("D", "M0-4.8L4.8 0 0 4.8-4.8 0z"),
)
DASHES: tuple[tuple[float, ...], ...] = ((), (5.0, 2.0), (1.5, 1.8), (7.0, 2.0, 1.5, 2.0))


@dataclass(frozen=True)
class SeriesStyle:
    """How one series looks in all plots of an experiment.

    Attributes:
        label: its name.
        variable: of its colour.
        marker: as matplotlib names it.
        path: the same as an SVG path.
        dashes: of its line, in pixels; empty for a solid one.
    """

    label: str
    variable: str
    marker: str
    path: str
    dashes: tuple[float, ...]

    @property
    def colour(self) -> str:
        """Return the colour on white."""
        return LIGHT[self.variable]


def styles(labels: Sequence[str]) -> dict[str, SeriesStyle]:
    """Return a style for each label; after the colours are used up, mark and dashes differ."""
    found = {}
    for index, label in enumerate(dict.fromkeys(labels)):
        turn, colour = divmod(index, NUM_SERIES_COLOURS)
        marker, path = MARKS[turn % len(MARKS)]
        found[label] = SeriesStyle(label, f"s{colour}", marker, path, DASHES[turn % len(DASHES)])
    return found


def css_variables(dark: bool) -> str:
    """Return the declarations of all colours."""
    return " ".join(f"--{name}: {pair[dark]};" for name, pair in COLOURS.items())


SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
DROPPED = {f"{SVG}metadata", f"{SVG}style"}
FONT = re.compile(r"font: *(?:(?:[1-9]00|bold|normal) +)?([\d.]+)px[^;]*")
FAMILY = re.compile(r"font-family: *[^;]*;? *")
LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
VARIABLES = {light: f"var(--{name})" for name, (light, _) in COLOURS.items()}
COLOUR = re.compile("|".join(VARIABLES), re.IGNORECASE)
NUMERIC = ("d", "x", "y", "transform", "width", "height")


def themed(source: bytes, prefix: str, title: str, description: str, tips: Mapping[str, str]) -> str:
    """Return an SVG for inclusion in HTML.

    Args:
        source: written by matplotlib with `svg.fonttype` "none", in the light colours of `COLOURS`.
        prefix: of all ids, unique in the page.
        title, description: what a screen reader says.
        tips: what is shown when the pointer rests on the artist with a gid.
    """
    root = ElementTree.fromstring(source)
    for parent in list(root.iter()):
        for child in [c for c in parent if c.tag in DROPPED]:
            parent.remove(child)
    for element in root.iter():
        _mend(element, prefix, tips)
    view = root.attrib["viewBox"]
    root.attrib.clear()
    labels = f"{prefix}-title {prefix}-desc"
    root.attrib.update({"class": "plot", "viewBox": view, "role": "img", "aria-labelledby": labels})
    for index, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(tag, {"id": f"{prefix}-{tag}"})
        element.text = printable(text)
        root.insert(index, element)
    return ElementTree.tostring(root, encoding="unicode")


def _mend(element: ElementTree.Element, prefix: str, tips: Mapping[str, str]) -> None:
    """Rewrite the attributes of one element in place."""
    attributes = element.attrib
    own = attributes.pop("id", "")
    if element.tag == f"{SVG}g":
        if own in tips:
            tip = ElementTree.Element("title")
            tip.text = printable(tips[own])
            element.insert(0, tip)
    elif own:
        attributes["id"] = f"{prefix}-{own}"
    if HREF in attributes:
        attributes["href"] = f"#{prefix}-{attributes.pop(HREF).removeprefix('#')}"
    if "clip-path" in attributes:
        attributes["clip-path"] = attributes["clip-path"].replace("url(#", f"url(#{prefix}-")
    if "style" in attributes:
        sized = FAMILY.sub("", FONT.sub(r"font-size: \1px", attributes["style"]))
        attributes["style"] = COLOUR.sub(lambda match: VARIABLES[match[0].lower()], sized)
    for name in NUMERIC:
        if name in attributes:
            attributes[name] = LONG_NUMBER.sub(lambda match: f"{float(match[0]):.2f}", attributes[name])
            attributes[name] = " ".join(attributes[name].split())
    element.tag = element.tag.removeprefix(SVG)


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
