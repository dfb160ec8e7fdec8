"""Render templates: they hold the target's syntax, Python holds the decisions."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_COMMENT = re.compile(rb"//[^\n]*|/\*.*?\*/", re.DOTALL)
# Anything else in a name from a model file could end a comment or continue a line in generated code.
_UNSAFE = re.compile(r"[^A-Za-z0-9_./:@+-]")


@cache
def environment() -> Environment:
    """Return the templates' environment; an undefined name in a template is an error."""
    package = Path(__file__).resolve().parent.parent
    # a wheel carries the templates inside the package, a checkout beside it
    inside, beside = package / "_templates", package.parent / "templates"
    return Environment(
        loader=FileSystemLoader(inside if inside.is_dir() else beside),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # generated code, not HTML; names pass through `label` first
    )


def render(template: str, context: dict[str, Any]) -> bytes:
    """Render a template to UTF-8."""
    return environment().get_template(template).render(context).encode()


def without_comments(source: bytes) -> bytes:
    """Return C++ without its comments, where the only names from a model file stand.

    What is left is the program's structure: a network of the same layers under other names gives the same.
    """
    return _COMMENT.sub(b"", source)


def label(name: str) -> str:
    """Return a name from a model file as it may stand in generated comments."""
    return _UNSAFE.sub("_", name)[:120]
