"""Colours and marks of the plots: fixed ones in a PNG, CSS variables in the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
