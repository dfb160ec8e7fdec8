"""Read JSON field by field, and say which file, line and field does not fit and what should stand there."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from kgenn.diagnostics import KgennError, fail
from kgenn.files.strict_json import loads

SCHEMA = 1
# Of a float; a JSON number can be larger.
LARGEST = sys.float_info.max
ADVICE = "run kgenn bench again with the configuration that wrote it"

T = TypeVar("T")
AxisValue = str | int | float | bool | None


@dataclass(frozen=True)
class JsonPath:
    """Where a value stands: a file with its line, and the way to the value inside."""

    file: str
    path: str = ""

    def __truediv__(self, step: str | int) -> JsonPath:
        inner = f"{self.path}[{step}]" if isinstance(step, int) else f"{self.path}.{step}".lstrip(".")
        return JsonPath(self.file, inner)

    def expect(self, value: object, expected: str) -> KgennError:
        """Return the KG631 that says what stands there and what should."""
        shown = json.dumps(value, default=str)
        shown = shown if len(shown) <= 60 else f"{shown[:59]}…"
        return fail("KG631", self.file, f"{self.path or 'the line'} is {shown}, not {expected}", ADVICE)


@dataclass(frozen=True)
class Object:
    """A JSON object that is read field by field; each reader raises KG631 where the value does not fit."""

    values: Mapping[str, Any]
    place: JsonPath

    @classmethod
    def of(cls, value: Any, place: JsonPath) -> Object:
        """Return a value as an object."""
        if not isinstance(value, dict):
            raise place.expect(value, "an object")
        return cls(value, place)

    def text(self, name: str) -> str:
        """Return a string."""
        value = self.values.get(name)
        if not isinstance(value, str):
            raise (self.place / name).expect(value, "a string")
        return value

    def optional_text(self, name: str) -> str | None:
        """Return a string, or None where there is none."""
        return None if self.values.get(name) is None else self.text(name)

    def word(self, name: str, known: Sequence[str]) -> str:
        """Return one of some words."""
        value = self.text(name)
        if value not in known:
            raise (self.place / name).expect(value, f"one of {', '.join(known)}")
        return value

    def number(self, name: str) -> float:
        """Return a finite number that is not negative."""
        return as_number(self.values.get(name), self.place / name)

    def optional_number(self, name: str) -> float | None:
        """Return such a number, or None where there is none."""
        return None if self.values.get(name) is None else self.number(name)

    def optional_real(self, name: str) -> float | None:
        """Return a finite number of either sign, as R² may have, or None where there is none."""
        value = self.values.get(name)
        return None if value is None else as_real(value, self.place / name)

    def curve(self, name: str) -> tuple[float, ...] | None:
        """Return finite numbers, one for each timestep; None where they are not all known."""
        found = self.values.get(name)
        if found is None or (isinstance(found, list) and None in found):
            return None
        return self.list(name, as_real)

    def whole(self, name: str) -> int:
        """Return a whole number that is not negative."""
        value = self.values.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise (self.place / name).expect(value, "a whole number")
        return value

    def optional_whole(self, name: str) -> int | None:
        """Return such a number, or None where there is none."""
        return None if self.values.get(name) is None else self.whole(name)

    def mapping(self, name: str) -> Mapping[str, Any]:
        """Return an object as it stands; empty where there is none."""
        value = self.values.get(name)
        return {} if value is None else Object.of(value, self.place / name).values

    def axes(self, name: str) -> Mapping[str, AxisValue]:
        """Return an object whose values are strings, numbers, booleans or null."""
        return as_axes(self.mapping(name), self.place / name)

    def list(self, name: str, read: Callable[[Any, JsonPath], T]) -> tuple[T, ...]:
        """Return each item of a list; none where there is no list."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, list):
            raise (self.place / name).expect(value, "a list")
        return tuple(read(item, self.place / name / i) for i, item in enumerate(value or ()))

    def others(self, *known: str) -> Mapping[str, Any]:
        """Return the fields that have no reader."""
        return {name: value for name, value in self.values.items() if name not in known}

    def check_schema(self) -> None:
        """Raise KG631 where another version of kgenn wrote it."""
        if self.values.get("schema") != SCHEMA:
            raise (self.place / "schema").expect(self.values.get("schema"), f"{SCHEMA}, which this kgenn reads")


def as_axes(value: Any, place: JsonPath) -> Mapping[str, AxisValue]:
    """Return an object whose values are strings, numbers, booleans or null."""
    found = Object.of(value, place).values
    for axis, entry in found.items():
        if entry is not None and not isinstance(entry, str | int | float):
            raise (place / axis).expect(entry, "a string, a number, true, false or null")
    return found


def as_number(value: Any, place: JsonPath) -> float:
    """Return a finite number that is not negative."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= LARGEST:
        raise place.expect(value, "a number from 0 up")
    return value


def as_real(value: Any, place: JsonPath) -> float:
    """Return a finite number of either sign."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not -LARGEST <= value <= LARGEST:
        raise place.expect(value, "a number")
    return value


def as_text(value: Any, place: JsonPath) -> str:
    """Return a string."""
    if not isinstance(value, str):
        raise place.expect(value, "a string")
    return value


def parse(text: str, place: JsonPath) -> Any:
    """Return what a JSON text says; raise KG631 where it is none, or has a number that JSON does not know."""
    try:
        return loads(text)
    except (ValueError, RecursionError) as error:
        raise fail("KG631", place.file, f"is not JSON: {error}", ADVICE) from error
