"""What commands that draw share: the kind of a picture by its file, and what drawing needs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from kgenn.diagnostics import fail
from kgenn.export.base import optional

Kind = Literal["svg", "png"]


def kind_of(path: Path, always: bool = False) -> Kind:
    """Return what a picture is to be, by the end of its name; an SVG where it has none.

    Args:
        always: it takes matplotlib whatever it is to be; else a PNG alone does.

    Raises:
        KgennError: KG401 for another end, KG508 where matplotlib is not installed.
    """
    end = path.suffix.lower().removeprefix(".") or "svg"
    if end not in ("svg", "png"):
        raise fail("KG401", "--picture", f"is {path}", "give a name that ends in .svg or .png")
    if always or end == "png":
        optional("matplotlib", "pip install 'kgenn[report]'")
    return "png" if end == "png" else "svg"
