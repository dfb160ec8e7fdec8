"""A TOML file whose every key and value has a place: what a diagnostic names."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kgenn.bench.extras import extra
from kgenn.diagnostics import KgennError, fail

Step = str | int
# What no configuration holds; it is written to a place, and the line that then has it is the place's.
MARK = "\N{REFERENCE MARK}"


@dataclass(frozen=True)
class Place:
    """Where in a file something stands.

    Attributes:
        path: the file.
        text: its contents.
        steps: keys and indices that lead there from the top; none for the file as a whole.
    """

    path: Path
    text: str = field(repr=False)
    steps: tuple[Step, ...] = ()

    def __truediv__(self, step: Step) -> Place:
        return Place(self.path, self.text, (*self.steps, step))

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.steps else str(self.path)

    @property
    def line(self) -> int:
        """Return the line, counted from 1."""
        tomlkit = extra("tomlkit", "bench")
        document = tomlkit.parse(self.text.replace(MARK, "?"))
        holder = document
        for step in self.steps[:-1]:
            holder = holder[step]
        last = self.steps[-1]
        table = holder[last]
        if isinstance(table, tomlkit.items.AoT):
            table = table[0]
        if isinstance(table, tomlkit.items.Table) and table.is_super_table():
            deeper: int = (self / next(iter(table))).line  # it has no header of its own
            return deeper
        if isinstance(table, tomlkit.items.Table):
            table.comment(MARK)  # behind its header
        else:
            holder[last] = MARK
        before, _, _ = tomlkit.dumps(document).partition(MARK)
        return int(before.count("\n")) + 1

    def fail(self, what: str, help: str = "") -> KgennError:
        """Return the error of something wrong here, for `raise place.fail(...)`."""
        return fail("KG620", str(self), what, help)


def read_toml(path: Path) -> tuple[dict[str, Any], Place]:
    """Return what a TOML file holds, and its place.

    Raises:
        KgennError: KG620 where it cannot be read; with the line where it is not TOML.
    """
    tomlkit = extra("tomlkit", "bench")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise fail("KG620", str(path), f"cannot be read: {error.strerror or error}", "check the path") from None
    except UnicodeDecodeError as error:
        raise fail("KG620", str(path), f"is not UTF-8: {error}", "give a TOML file") from None
    try:
        values: dict[str, Any] = tomlkit.parse(text).unwrap()
    except tomlkit.exceptions.ParseError as error:
        reason = str(error).partition(" at line ")[0]
        raise fail("KG620", f"{path}:{error.line}", f"is not TOML: {reason}", "see https://toml.io") from None
    except tomlkit.exceptions.TOMLKitError as error:
        raise fail("KG620", str(path), f"is not TOML: {error}", "see https://toml.io") from None
    return values, Place(path, text)
