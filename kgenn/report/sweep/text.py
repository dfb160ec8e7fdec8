"""Put names from files, and figures, into words that a page, a plot and a terminal can show."""

from __future__ import annotations

import re

LONGEST_SLUG = 48


def printable(text: str) -> str:
    """Return a text with U+FFFD for what XML cannot hold or a reader cannot see."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def shortened(text: str, longest: int) -> str:
    """Return a text cut to a number of characters, in one line."""
    line = printable(text).replace("\n", " ")
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def slug(text: str) -> str:
    """Return a name as a part of a file's name or an id: lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:LONGEST_SLUG].strip("-") or "unnamed"


def unique(stem: str, taken: set[str]) -> str:
    """Return a name that is not taken yet, and take it."""
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}-{number}", number + 1
    taken.add(name)
    return name


def percent(share: float | None, digits: int = 2) -> str:
    """Return a share from 0 to 1 in %."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def figure(value: float | None) -> str:
    """Return a figure with three significant digits, and thousands in groups."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def amount(value: float) -> str:
    """Return a large number in thousands, millions or milliards: 1.2 M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g}"


def duration(seconds: float | None) -> str:
    """Return a time in s, ms or µs."""
    if seconds is None:
        return "–"
    for size, unit in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"
