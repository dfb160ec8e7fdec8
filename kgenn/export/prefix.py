"""Names in exported sources that begin with a prefix of the user's: several networks fit in one program."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kgenn.diagnostics import fail

DEFAULT = "kgenn"
# What symbols, headers and CMake targets may begin with; macros have it in capitals.
PREFIX = re.compile(r"[a-z][a-z0-9_]{0,30}")
# Identifiers, macros and file names of generated sources, and the namespace of what is inside them.
_NAMES = re.compile(rb"\b(?:(kgenn)_|(KGENN)_|namespace (kgenn)\b)")


def checked_prefix(prefix: str) -> str:
    """Return a prefix.

    Raises:
        KgennError: KG401 where it cannot begin a name.
    """
    if not PREFIX.fullmatch(prefix):
        advice = "give a small letter and up to 30 small letters, digits and underscores"
        raise fail("KG401", "--prefix", f"is {prefix!r}, which cannot begin the names of C", advice)
    return prefix


def renamed(files: Mapping[str, bytes], prefix: str) -> dict[str, bytes]:
    """Return files of a generated program whose names begin with a prefix; binary files are as they were."""
    if prefix == DEFAULT:
        return dict(files)
    small, inside = prefix.encode(), prefix.encode() + b"_inside"

    def name(found: re.Match[bytes]) -> bytes:
        if found[1]:
            return small + b"_"
        return small.upper() + b"_" if found[2] else b"namespace " + inside

    return {
        _NAMES.sub(name, key.encode()).decode(): content if key.endswith(".bin") else _NAMES.sub(name, content)
        for key, content in files.items()
    }
