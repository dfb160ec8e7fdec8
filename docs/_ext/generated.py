"""Fill pages from the code: a line `<!-- generated: NAME ARGUMENT -->` becomes what NAME returns for it.

So options, equations of neurons, diagnostics and commands cannot differ from what the code does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import notebooks
import tables
import timetable
from sphinx.application import Sphinx

import commands

PLACE = re.compile(r"^<!-- generated: (\S+)(?: (.+?))? -->$", re.MULTILINE)

MAKERS: dict[str, Callable[[str], str]] = {
    "codes": tables.codes,
    "commands": commands.commands,
    "diagnostics": tables.diagnostics,
    "encoder": tables.encoder,
    "features": tables.features,
    "method": tables.method,
    "neuron": tables.neuron,
    "notebook": notebooks.notebook,
    "operations": tables.operations,
    "options": tables.options,
    "page": tables.page,
    "timetable": timetable.timetable,
}


def filled(text: str) -> str:
    """Return a page with every place filled."""
    return PLACE.sub(lambda found: MAKERS[found[1]](found[2] or ""), text)


def fill(app: Sphinx, docname: str, source: list[str]) -> None:
    """Fill a page as Sphinx reads it."""
    source[0] = filled(source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the handler."""
    app.connect("source-read", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
