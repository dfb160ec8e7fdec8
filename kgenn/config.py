"""Options: the fields of frozen dataclasses are the command line's flags and the manifest's entries."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from kgenn.diagnostics import fail, known_names
from kgenn.registry import Registry

T = TypeVar("T")
# The default of an option that classes share, where it is not the same for all of them.
VARIES = "depends on the method"


@dataclass(frozen=True)
class Option:
    """One field of an options class.

    Attributes:
        name: the field's name; the flag is the same with hyphens.
        kind: bool, int, float or str.
        choices: the legal values of a Literal, else empty.
        default: the field's default.
        help: one line.
    """

    name: str
    kind: type
    choices: tuple[str, ...]
    default: Any
    help: str

    @property
    def flag(self) -> str:
        """Return the command-line flag."""
        return "--" + self.name.replace("_", "-")


def options_of(cls: type) -> tuple[Option, ...]:
    """Return the options of a dataclass, in the order of its fields; fields without help are not options."""
    hints = get_type_hints(cls)
    found = []
    for f in fields(cls):
        if "help" not in f.metadata:
            continue
        hint = hints[f.name]
        if get_origin(hint) in (Union, types.UnionType):
            (hint,) = (part for part in get_args(hint) if part is not type(None))
        choices = get_args(hint) if get_origin(hint) is Literal else ()
        default = None if f.default is MISSING else f.default
        found.append(Option(f.name, str if choices else hint, choices, default, f.metadata["help"]))
    return tuple(found)


def classes_of(registry: Registry[type[T]]) -> dict[str, type[T]]:
    """Return all classes of a registry by name."""
    return {name: registry.get(name) for name in registry.names()}


def owners_of(classes: Mapping[str, type]) -> dict[str, tuple[Option, tuple[str, ...]]]:
    """Return every option of some classes by name, with the names of the classes that have it."""
    found: dict[str, tuple[Option, tuple[str, ...]]] = {}
    for name, cls in classes.items():
        for option in options_of(cls):
            first, owners = found.get(option.name, (option, ()))
            assert first.kind is option.kind, f"{option.flag} is of two types"
            default = first.default if first.default == option.default else VARIES
            found[option.name] = (replace(first, default=default), (*owners, name))
    return found


def make(cls: type[T], where: str, values: Mapping[str, Any]) -> T:
    """Make an options object from the values a user gave.

    Raises:
        KgennError: KG401 for a name that is no option of the class, or a value that is not one of the choices.
    """
    known = {option.name: option for option in options_of(cls)}
    for name, value in values.items():
        flag = "--" + name.replace("_", "-")
        if name not in known:
            listed = known_names(flag, (option.flag for option in known.values())) if known else "it has none"
            raise fail("KG401", where, f"has no option {flag}", listed)
        choices = known[name].choices
        if choices and value not in choices:
            raise fail("KG401", where, f"{flag} is {value!r}", known_names(str(value), choices))
    return cls(**values)
