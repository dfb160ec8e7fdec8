"""A TOML file whose every key and value has a place: what a diagnostic names."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kgenn.diagnostics import KgennError, fail

Step = str | int
# What ends a value that goes on over several lines: nothing, an array, a string.
ENDS = ("", "\n]", "'''", '"""')
# The page with every key.
FORMAT = "the page docs/howto/sweeps.md has the format"


@dataclass(frozen=True)
class TomlPath:
    """Where in a file something stands.

    Attributes:
        path: the file.
        text: its contents, which are TOML.
        steps: keys and indices that lead there from the top; none for the file as a whole.
    """

    path: Path
    text: str = field(repr=False)
    steps: tuple[Step, ...] = ()

    def __truediv__(self, step: Step) -> TomlPath:
        return TomlPath(self.path, self.text, (*self.steps, step))

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.steps else str(self.path)

    @property
    def line(self) -> int:
        """Return the line, counted from 1: the first one with which the file's beginning has the place."""
        lines = self.text.split("\n")
        beginnings = ("\n".join(lines[:count]) for count in range(1, len(lines) + 1))
        found = (n for n, text in enumerate(beginnings, start=1) if any(self._is_in(text + end) for end in ENDS))
        return next(found, len(lines))

    def _is_in(self, text: str) -> bool:
        try:
            value: Any = tomllib.loads(text)
            for step in self.steps:
                value = value[step]
        except (tomllib.TOMLDecodeError, LookupError):
            return False
        return True

    def fail(self, what: str, help: str = "") -> KgennError:
        """Return the error of something wrong here, for `raise place.fail(...)`."""
        return fail("KG620", str(self), what, help)


def read_toml(path: Path) -> tuple[dict[str, Any], TomlPath]:
    """Return what a TOML file holds, and its place.

    Raises:
        KgennError: KG620 where it cannot be read; with the line where it is not TOML.
    """
    try:
        text = path.read_text(encoding="utf-8")  # with \n at the end of every line, whatever the file has
    except OSError as error:
        raise fail("KG620", str(path), f"cannot be read: {error.strerror or error}", "check the path") from None
    except UnicodeDecodeError as error:
        raise fail("KG620", str(path), f"is not UTF-8: {error.reason}", "give a TOML file") from None
    try:
        return tomllib.loads(text), TomlPath(path, text)
    except RecursionError:
        raise fail("KG620", str(path), "is nested too deep", "no configuration has over a few levels") from None
    except tomllib.TOMLDecodeError as error:
        reason, _, at = str(error).partition(" (at ")
        numbers = re.findall(r"line (\d+)", at) or [len(text.splitlines())]
        raise fail("KG620", f"{path}:{numbers[0]}", f"is not TOML: {reason}", FORMAT) from None
