"""Configuration files: TOML whose every value has a place for diagnostics; tables inherit from outer ones."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kgenn.diagnostics import Diagnostic, KgennError, fail, known_names

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


@dataclass(frozen=True, eq=False)
class ConfigValue:
    """A value and where it stands."""

    value: Any
    place: TomlPath

    def text(self) -> str:
        """Return a string."""
        if not isinstance(self.value, str) or not self.value:
            raise self.place.fail(f"{self.key} is {self.value!r}", "give a string that is not empty")
        return self.value

    def whole(self, least: int) -> int:
        """Return a whole number that is at least so large."""
        if not isinstance(self.value, int) or isinstance(self.value, bool) or self.value < least:
            raise self.place.fail(f"{self.key} is {self.value!r}", f"give a whole number, at least {least}")
        return self.value

    def one_of(self, choices: Collection[str]) -> str:
        """Return one of some words."""
        if not isinstance(self.value, str) or self.value not in choices:
            raise self.place.fail(f"{self.key} is {self.value!r}", known_names(str(self.value), choices))
        return self.value

    def table(self) -> ConfigTable:
        """Return a table."""
        if not isinstance(self.value, dict):
            raise self.place.fail(f"{self.key} is {self.value!r}", "give a table")
        return ConfigTable(self.value, self.place)

    def items(self) -> Iterator[ConfigValue]:
        """Yield the entries of an array, or the value as the only one."""
        if not isinstance(self.value, list):
            yield self
            return
        if not self.value:
            raise self.place.fail(f"{self.key} is an empty list", "leave it out, or give a value")
        for index, value in enumerate(self.value):
            yield ConfigValue(value, self.place / index)

    @property
    def key(self) -> str:
        """Return the innermost key."""
        return next(step for step in reversed(self.place.steps) if isinstance(step, str))


@dataclass(frozen=True, eq=False)
class ConfigTable:
    """A table of a configuration.

    Attributes:
        values: what it holds.
        outer: the table that holds for what this one does not say.
        used: the keys that had an effect; filled in as cells are made.
    """

    values: Mapping[str, Any]
    place: TomlPath
    outer: ConfigTable | None = None
    used: set[str] = field(default_factory=set)

    def get(self, key: str) -> ConfigValue | None:
        """Return the value of a key from here or further out, or None."""
        if key in self.values:
            return ConfigValue(self.values[key], self.place / key)
        return None if self.outer is None else self.outer.get(key)

    def keys(self) -> list[str]:
        """Return the keys of this table, then those of the tables around it."""
        return list(dict.fromkeys([*self.values, *(() if self.outer is None else self.outer.keys())]))

    def mark(self, key: str) -> None:
        """Note that a key had an effect."""
        if key in self.values:
            self.used.add(key)
        elif self.outer is not None:
            self.outer.mark(key)

    def need(self, key: str, help: str) -> ConfigValue:
        """Return the value of a key that must be there."""
        found = self.get(key)
        if found is None:
            raise self.place.fail(f"has no {key}", help)
        return found

    def tables(self, key: str) -> list[ConfigTable]:
        """Return the tables of an array of tables of this scope, each with this one around it."""
        if key not in self.values:
            return []
        value, place = self.values[key], self.place / key
        if not isinstance(value, list) or not value or not all(isinstance(entry, dict) for entry in value):
            raise place.fail(f"{key} is not an array of tables", f"write [[{key}]]")
        return [ConfigTable(entry, place / index, self) for index, entry in enumerate(value)]

    def unknown(self, known: Collection[str]) -> Iterator[Diagnostic]:
        """Yield a diagnostic for each key that is not one of those known."""
        for key in self.values:
            if key not in known:
                advice = f"{known_names(key, known)}; {FORMAT}"
                yield from (self.place / key).fail(f"unknown key {key!r}", advice).diagnostics
