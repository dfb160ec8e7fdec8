"""How a graph, a network and a result show themselves: one line, a table, and HTML in notebooks.

The tables and pictures are made by `kgenn.report`, which knows all of these values; they are found by name, as
converters and encoders are.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import ClassVar

from kgenn.registry import Registry

# Spaces between two columns of a table.
GAP = 3


@dataclass(frozen=True)
class Grid:
    """A table of texts.

    Attributes:
        columns: the headings; one that starts with ">" is of a column of numbers. All empty: no headings.
        rows: the cells.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def to_text(self) -> str:
        """Return the table with aligned columns."""
        from rich.cells import cell_len

        heads = [column.removeprefix(">") for column in self.columns]
        lines = [heads, *self.rows] if any(heads) else list(self.rows)
        widths = [max(cell_len(line[i]) for line in lines) for i in range(len(heads))] if lines else []
        padded = []
        for line in lines:
            spaces = [" " * (width - cell_len(text)) for text, width in zip(line, widths, strict=True)]
            cells = zip(line, spaces, self.columns, strict=True)
            padded.append([space + text if c.startswith(">") else text + space for text, space, c in cells])
        return "\n".join((" " * GAP).join(cells).rstrip() for cells in padded)

    def to_html(self) -> str:
        """Return the table as HTML."""
        styles = [' style="text-align: right"' if c.startswith(">") else "" for c in self.columns]
        heads = "".join(f"<th>{escape(c.removeprefix('>'))}</th>" for c in self.columns)
        head = f"<thead><tr>{heads}</tr></thead>" if any(self.columns) else ""
        rows = (
            "".join(f"<td{style}>{escape(cell)}</td>" for cell, style in zip(row, styles, strict=True))
            for row in self.rows
        )
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"<table>{head}<tbody>{body}</tbody></table>"


@dataclass(frozen=True)
class Display:
    """What a value shows.

    Attributes:
        grids: tables, in order.
        lines: what stands below them.
        picture: an SVG, or nothing.
    """

    grids: Sequence[Grid]
    lines: Sequence[str] = ()
    picture: Callable[[], bytes] | None = None

    def to_text(self) -> str:
        """Return the tables and the lines."""
        parts = [grid.to_text() for grid in self.grids]
        return "\n\n".join([*parts, "\n".join(self.lines)] if self.lines else parts)

    def to_html(self) -> str:
        """Return the picture, the tables and the lines as HTML that asks for no other file."""
        parts = [grid.to_html() for grid in self.grids] + [f"<p>{escape(line)}</p>" for line in self.lines]
        if self.picture is not None:
            # as an image, so that the styles of one picture are not those of the page
            data = base64.b64encode(self.picture()).decode()
            parts.insert(0, f'<img alt="" style="max-width: 100%" src="data:image/svg+xml;base64,{data}"/>')
        return f"<div>{''.join(parts)}</div>"


DISPLAYS = Registry[Callable[[object], Display]](
    "display",
    "",
    {
        "compiled": "kgenn.report.displays:compiled_display",
        "graph": "kgenn.report.displays:graph_display",
        "network": "kgenn.report.displays:network_display",
        "result": "kgenn.report.displays:result_display",
    },
)


class Displayed:
    """A value with a summary, and with a table and a picture in notebooks.

    Attributes:
        display: its entry in `DISPLAYS`.
    """

    display: ClassVar[str]

    def summary(self) -> str:
        """Return a table of what it consists of."""
        return DISPLAYS.get(self.display)(self).to_text()

    def _repr_html_(self) -> str:
        return DISPLAYS.get(self.display)(self).to_html()
