"""Lists with commas: `bias,max-pool` or `image=poisson, meta=direct`.

An entry with a comma of its own stands in double quotes, `"a,b=poisson"`, and a double quote within it is doubled.
"""

from __future__ import annotations

import csv
import shlex
from collections.abc import Mapping


def entries(text: str) -> list[str]:
    """Return the entries of a list.

    Raises:
        ValueError: where a quote is not closed, or text follows a closed one.
    """
    try:
        (row,) = csv.reader([text], skipinitialspace=True, strict=True)
    except csv.Error as error:
        raise ValueError(f"{text!r} is not a list: {error}") from error
    return [part.strip() for part in row or [""]]


def entry(text: str) -> str:
    """Return an entry as a list has it, in quotes where it needs them."""
    if "," not in text and not text.startswith('"'):
        return text
    return f'"{text.replace(chr(34), chr(34) * 2)}"'


def option(flag: str, values: Mapping[str, object]) -> str:
    """Return an option with values of some inputs or outputs, as a shell takes it; "" stands for all of them."""
    named = (f"{name}={value}" if name else str(value) for name, value in values.items())
    return f"{flag} {shlex.quote(','.join(map(entry, named)))}"
