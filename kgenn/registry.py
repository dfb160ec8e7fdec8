"""Lazy tables: a name, and the "module:attribute" that is imported only when the name is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from kgenn.diagnostics import fail, known_names

T = TypeVar("T")


def summary(entry: object) -> str:
    """Return the first line of what an entry's docstring says."""
    return (entry.__doc__ or "").strip().partition("\n")[0]


@dataclass(frozen=True, eq=False)
class Registry(Generic[T]):
    """Map names to objects without importing them.

    Attributes:
        kind: what the entries are, for messages: "layer", "converter" …
        group: the entry-point group in which other packages add entries.
        table: name to "module:attribute".
        code: the diagnostic code of an unknown name.
    """

    kind: str
    group: str
    table: Mapping[str, str] = field(repr=False)
    code: str = "KG401"

    @cached_property
    def entries(self) -> dict[str, str]:
        """Return the table with the installed entry points added; a built-in name cannot be replaced."""
        outside = {point.name: point.value for point in entry_points(group=self.group)}
        return {**outside, **self.table}

    def names(self) -> tuple[str, ...]:
        """Return all known names, in order."""
        return tuple(sorted(self.entries))

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def get(self, name: str) -> T:
        """Import and return the entry; an unknown name is an error that lists what is known."""
        if name not in self.entries:
            raise fail(self.code, name, f"unknown {self.kind}", known_names(name, self.entries))
        module, _, attribute = self.entries[name].partition(":")
        entry: Any = getattr(import_module(module), attribute)
        return entry  # type: ignore[no-any-return]
