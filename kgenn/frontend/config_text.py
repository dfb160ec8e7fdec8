"""Parse the JSON text of a model's config, and refuse what no Keras writes and what could mislead a reader.

What a text takes in memory is estimated before it is parsed: a few kilobytes of compressed text can become
gigabytes of Python objects.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from kgenn.diagnostics import fail

# Levels of lists and objects in one another. A nested model takes four.
MAX_LEVELS = 200
LONGEST_NAME = 400
# A config may take SOME bytes of memory (64 MiB) and TIMES the bytes that it has in its file, up to MAX_MEMORY
# (1 GiB).
# The configs of Keras take about 5 bytes for each of text; that of 1,000 layers is a megabyte of text.
SOME, TIMES, MAX_MEMORY = 1 << 26, 64, 1 << 30
# COPIES of an ASCII text: encoded, decoded, and in the values. Elsewhere a character takes up to 4 bytes in each.
COPIES, COPIES_UNICODE = 3, 9
# Bytes that CPython takes at most for an object or a list up to its first few entries, and for each entry, before
# which a comma or a colon stands. Tests compare these with what it allocates.
FOR_OBJECT, FOR_LIST, FOR_ENTRY = 200, 96, 80


def parse_config(text: str, source: str, stored: int) -> Any:
    """Return what a config says.

    Args:
        stored: the bytes that the text takes in its file.

    Raises:
        KgennError: KG102 where it is not JSON, or nested too deep; KG110 where it would take too much memory.
    """
    check_memory(memory_of(text), stored, source)
    try:
        data = json.loads(text)
    except RecursionError:
        data = None
        levels = MAX_LEVELS + 1
    except ValueError as error:
        raise fail("KG102", source, f"holds a model config that is not JSON: {error}", "save it again") from None
    else:
        levels = _levels(data)
    if levels > MAX_LEVELS:
        what = f"holds a model config of over {MAX_LEVELS} levels of nesting"
        raise fail("KG102", source, what, "build the model of fewer models in one another")
    return data


def memory_of(text: str) -> int:
    """Return the most bytes of memory that a JSON text takes while it is parsed, itself among them."""
    copies = COPIES if text.isascii() else COPIES_UNICODE
    objects, lists, entries = text.count("{"), text.count("["), text.count(",") + text.count(":")
    return copies * len(text) + FOR_OBJECT * objects + FOR_LIST * lists + FOR_ENTRY * entries


def check_memory(needed: int, stored: int, source: str) -> None:
    """Raise KG110 where a config of so many bytes in its file may not take the memory that it needs."""
    allowed = min(MAX_MEMORY, SOME + TIMES * stored)
    if needed > allowed:
        what = f"holds a config that may take {needed:,} bytes of memory; allowed for {stored:,} bytes in a file"
        remedy = "save the model again: Keras does not compress the config; split a model of over 20,000 layers"
        raise fail("KG110", source, f"{what}: {allowed:,}", remedy)


def _levels(data: Any) -> int:
    """Return how deep lists and objects are nested, at most one more than is allowed."""
    level, items = 0, [data]
    while items and level <= MAX_LEVELS:
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
