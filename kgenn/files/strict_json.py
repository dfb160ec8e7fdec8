"""Read JSON as its standard has it: no NaN, no Infinity, no number that a float cannot hold."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def loads(text: str | bytes) -> Any:
    """Return what a JSON text says.

    Raises:
        ValueError: where it is none.
        RecursionError: where it is nested too deeply.
    """
    return json.loads(text, parse_constant=_refuse, parse_float=_finite)


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if value - value != 0:
        raise ValueError(f"{text[:40]} is too large a number")
    return value
