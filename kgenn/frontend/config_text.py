"""Parse the JSON text of a model's config, and refuse what no Keras writes and what could mislead a reader."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from kgenn.diagnostics import fail

# Levels of lists and objects in one another. A nested model takes four.
MOST_LEVELS = 200
LONGEST_NAME = 400


def parse_config(text: str | bytes, source: str) -> Any:
    """Return what a config says.

    Raises:
        KgennError: KG102 where it is not JSON, or nested too deep.
    """
    try:
        data = json.loads(text)
    except RecursionError:
        data = None
        levels = MOST_LEVELS + 1
    except ValueError as error:
        raise fail("KG102", source, f"holds a model config that is not JSON: {error}", "save it again") from None
    else:
        levels = _levels(data)
    if levels > MOST_LEVELS:
        what = f"holds a model config of over {MOST_LEVELS} levels of nesting"
        raise fail("KG102", source, what, "build the model of fewer models in one another")
    return data


def _levels(data: Any) -> int:
    """Return how deep lists and objects are nested, at most one more than is allowed."""
    level, items = 0, [data]
    while items and level <= MOST_LEVELS:
        items = [inner for item in items for inner in _inside(item)]
        level += 1
    return level


def _inside(item: Any) -> Iterable[Any]:
    return item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()


def check_name(name: str, where: str) -> str:
    """Return a name that can be shown and written everywhere.

    Raises:
        KgennError: KG107 for control characters, text direction marks and halves of characters, and over
            `LONGEST_NAME` characters.
    """
    if not name.isprintable() or len(name) > LONGEST_NAME:
        shown = f"{name[:40]!a}{'…' if len(name) > 40 else ''}"
        what = f"has the name {shown}; allowed: up to {LONGEST_NAME} characters that can be seen"
        raise fail("KG107", where, what, "rename the layer, then save the model again")
    return name
