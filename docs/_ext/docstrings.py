"""Let docstrings be read as they are written: `|x|`, `*args` and `name_` are no markup of reStructuredText."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

CODE = re.compile(r"(`[^`]+`)")
ALIAS = re.compile(r"TypeAliasForwardRef\('(\w+)'\)")
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


def aliases(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Name type aliases as the code does: inside a union autodoc shows its own wrapper of them."""
    named = [None if text is None else ALIAS.sub(r"\1", text) for text in (signature, returns)]
    return named[0], named[1]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the handlers."""
    app.connect("autodoc-process-docstring", process, priority=100)
    app.connect("autodoc-process-signature", aliases)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
