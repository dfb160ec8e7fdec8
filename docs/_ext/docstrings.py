"""Let docstrings be read as they are written: `|x|`, `*args` and `name_` are no markup of reStructuredText."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.inspect import TypeAliasForwardRef

CODE = re.compile(r"(`[^`]+`)")
MARKUP = re.compile(r"([*|]|\w_(?=\W|$))")


def escaped(lines: list[str]) -> list[str]:
    """Return a docstring's lines with a backslash before what would be markup, outside code and literal blocks."""
    result: list[str] = []
    literal: int | None = None  # the indent of the paragraph that opened a literal block
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if literal is not None and line.strip() and indent <= literal:
            literal = None
        if literal is None:
            parts = CODE.split(line)
            result.append("".join(p if p.startswith("`") else MARKUP.sub(_escape, p) for p in parts))
        else:
            result.append(line)
        if literal is None and line.rstrip().endswith("::"):
            literal = indent
    return result


def _escape(found: re.Match[str]) -> str:
    text = found[0]
    return f"{text[:-1]}\\{text[-1]}"


def process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Escape the lines in place, before napoleon reads them."""
    lines[:] = escaped(lines)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the handler, and let type aliases be named as the code names them."""
    app.connect("autodoc-process-docstring", process, priority=100)
    # inside a union autodoc shows its own wrapper of an alias
    TypeAliasForwardRef.__repr__ = lambda alias: alias.name  # type: ignore[method-assign]
    return {"parallel_read_safe": True, "parallel_write_safe": True}
