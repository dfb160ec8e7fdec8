"""Options: the fields of frozen dataclasses are the command line's flags and the manifest's entries."""

from __future__ import annotations

import operator
import types
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import cache
from numbers import Real
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from kgenn.diagnostics import fail, known_names
from kgenn.registry import Registry

T = TypeVar("T")


@dataclass(frozen=True)
class Option:
    """One field of an options class.

    Attributes:
        name: the field's name; the flag is the same with hyphens.
        kind: bool, int, float or str.
        choices: the legal values of a Literal, else empty.
        default: the field's default.
        help: one line.
        optional: None is legal too.
        word: a value beside those of the kind, such as "auto".
    """

    name: str
    kind: type
    choices: tuple[str, ...]
    default: Any
    help: str
    optional: bool = False
    word: str | None = None

    @property
    def flag(self) -> str:
        """Return the command-line flag."""
        return "--" + self.name.replace("_", "-")


def options_of(cls: type) -> tuple[Option, ...]:
    """Return the options of a dataclass, in the order of its fields; fields without help are not options."""
    found: Any = cls  # hashable, which mypy does not know of a class
    return _options_of(found)


@cache
def _options_of(cls: type) -> tuple[Option, ...]:
    hints = get_type_hints(cls)
    found = []
    for f in fields(cls):
        if "help" not in f.metadata:
            continue
        hint = hints[f.name]
        parts = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
        optional, word = type(None) in parts, None
        hint, *words = (part for part in parts if part is not type(None))
        if words:  # as int | Literal["auto"]
            ((word,),) = map(get_args, words)
        choices = get_args(hint) if get_origin(hint) is Literal else ()
        default = None if f.default is MISSING else f.default
        found.append(
            Option(f.name, str if choices else hint, choices, default, f.metadata["help"], optional, word)
        )
    return tuple(found)


def values_in(cls: type, where: str, words: Sequence[str]) -> dict[str, Any]:
    """Return the options of a class that words give as the command line has them: `--percentile 99.9 --no-check`.

    Raises:
        KgennError: KG401 for a word that is no option of the class, and for a value of another type.
    """
    known = {option.flag: option for option in options_of(cls)}
    known |= {f"--no-{flag[2:]}": option for flag, option in known.items() if option.kind is bool}
    values: dict[str, Any] = {}
    rest = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    while rest:
        name = rest.pop(0)
        if name not in known:
            listed = known_names(name, known) if known else "it has none"
            raise fail("KG401", where, f"has no option {name}", listed)
        option = known[name]
        if option.kind is not bool:
            values[option.name] = _read(option, where, rest.pop(0) if rest else "")
        else:
            values[option.name] = name == option.flag
    return values


def _read(option: Option, where: str, text: str) -> Any:
    """Return the value of an option from a word."""
    if text == option.word or option.kind is str:
        return text
    try:
        return option.kind(text)
    except ValueError:
        raise fail("KG401", where, f"{option.flag} is {text!r}", f"give {WORDS[option.kind]}") from None


def values_of(options: object) -> dict[str, Any]:
    """Return the value of each option of an options object."""
    return {option.name: getattr(options, option.name) for option in options_of(type(options))}


# What an option may be, besides a Literal of texts.
KINDS = (bool, int, float, str)
WORDS: Mapping[type, str] = {bool: "True or False", int: "a whole number", float: "a number", str: "a text"}


def whole(where: str, given: Any, least: int, limit: int) -> int:
    """Return a whole number of any type as an int of Python.

    Args:
        where: the option, for messages.

    Raises:
        KgennError: KG401 where it is none, or out of range.
    """
    if not _is_of(int, given):
        raise fail("KG401", where, f"is {given!r}", f"give a whole number from {least} to {limit}")
    number = operator.index(given)
    if number < least:
        raise fail("KG401", where, f"is {number}; at least {least} is needed")
    if number > limit:
        raise fail("KG401", where, f"is {number}; at most {limit} is allowed")
    return number


def number(where: str, given: Any) -> float:
    """Return a number of any type.

    Args:
        where: the option, for messages.

    Raises:
        KgennError: KG401 where it is none.
    """
    if not _is_of(float, given):
        raise fail("KG401", where, f"is {given!r}", "give a number")
    return float(given)


def flag(where: str, given: Any) -> bool:
    """Return a truth value; arguments are as for `number`."""
    if not _is_of(bool, given):
        raise fail("KG401", where, f"is {given!r}", "give True or False")
    return bool(given)


def check_types(options: object, where: str = "") -> None:
    """Check that each option of an options object is of its field's type.

    Args:
        where: what has the options, for messages; an option speaks for itself if not given.

    Raises:
        KgennError: KG401 with the first that is not.
    """
    for option in options_of(type(options)):
        value = getattr(options, option.name)
        if (option.optional and value is None) or (isinstance(value, str) and value == option.word):
            continue
        if _is_of(option.kind, value) and (not option.choices or value in option.choices):
            continue
        also = "" if option.word is None else f", or {option.word!r}"
        words = known_names(str(value), option.choices) if option.choices else f"give {WORDS[option.kind]}{also}"
        what = f"{option.name} is {value!r}" if where else f"is {value!r}"
        raise fail("KG401", where or option.name, what, words)


def _is_of(kind: type, value: Any) -> bool:
    """Tell whether a value is of the kind of an option; numbers of NumPy are numbers."""
    if kind not in (int, float):
        return isinstance(value, kind) or (kind is bool and type(value).__name__ == "bool")
    if isinstance(value, bool):
        return False
    if kind is float:
        return isinstance(value, Real)
    try:
        operator.index(value)
    except TypeError:
        return False
    return True


@dataclass(frozen=True)
class DistinctOptions(Generic[T]):
    """The classes of a registry whose options go together.

    Attributes:
        classes: by name, kgenn's own first.
        problems: of the plug-ins whose options do not, by name.
    """

    classes: Mapping[str, type[T]]
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def options(self) -> frozenset[str]:
        """Return the names of all options."""
        return frozenset(flags_of(self.classes))


def vetted(registry: Registry[type[T]], taken: Collection[str] = ()) -> DistinctOptions[T]:
    """Return the classes of a registry, apart from plug-ins whose options cannot be flags beside the others.

    Args:
        taken: names that mean something else where the options are flags or keys.
    """
    classes: dict[str, type[T]] = {}
    problems: dict[str, str] = {}
    kinds: dict[str, Option] = {}
    for name, cls in registry.usable().items():
        own = name in registry.table
        problem = "" if own else next(_problems(cls, kinds, taken), "")
        if problem:
            problems[name] = problem
            continue
        classes[name] = cls
        kinds = {option.name: option for option in options_of(cls)} | kinds
    return DistinctOptions(dict(sorted(classes.items())), problems)


def _problems(cls: type, kinds: Mapping[str, Option], taken: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with the options of a plug-in's class."""
    for name, value in vars(cls).items():
        if isinstance(value, Field):
            yield f"declares the field {name} without @dataclass(frozen=True)"
    try:
        options = options_of(cls)
    except (NameError, TypeError, ValueError) as error:
        yield f"has an option whose type cannot be read: {error}"
        return
    for f in fields(cls):
        if f.init and f.default is MISSING and f.default_factory is MISSING:
            yield f"has no default for its field {f.name}"
    for option in options:
        if option.kind not in KINDS:
            yield f"has the option {option.flag} of a type other than bool, int, float, str or Literal"
        elif option.name in taken:
            yield f"has the option {option.flag}, which means something else to kgenn"
        elif option.name in kinds and kinds[option.name].kind is not option.kind:
            here, there = option.kind.__name__, kinds[option.name].kind.__name__
            yield f"has the option {option.flag} of type {here}, which is of type {there} elsewhere"


def classes_of(registry: Registry[type[T]]) -> dict[str, type[T]]:
    """Return all classes of a registry by name, but for plug-ins that cannot be used."""
    return dict(vetted(registry).classes)


@dataclass(frozen=True)
class Flag:
    """An option of one or more classes.

    Attributes:
        option: as the first of them has it.
        defaults: of each class that has it, by name.
    """

    option: Option
    defaults: Mapping[str, Any]

    @property
    def owners(self) -> tuple[str, ...]:
        """Return the names of the classes that have it."""
        return tuple(self.defaults)

    @property
    def default(self) -> str:
        """Return the default in words, "0.4 for burst; 1.0 for few-spike, ttfs"; empty if there is none."""
        sharing: dict[str, list[str]] = {}
        for owner, default in self.defaults.items():
            if default is not None:
                sharing.setdefault(str(default).lower(), []).append(owner)
        if [list(self.owners)] == list(sharing.values()):
            return next(iter(sharing))
        return "; ".join(f"{default} for {', '.join(owners)}" for default, owners in sharing.items())


def flags_of(classes: Mapping[str, type]) -> dict[str, Flag]:
    """Return every option of some classes by name."""
    found: dict[str, Flag] = {}
    for name, cls in classes.items():
        for option in options_of(cls):
            flag = found.get(option.name, Flag(option, {}))
            assert flag.option.kind is option.kind, f"{option.flag} is of two types"
            found[option.name] = Flag(flag.option, {**flag.defaults, name: option.default})
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
    try:
        return cls(**values)
    except TypeError as error:  # of a comparison with a number
        raise fail("KG401", where, f"has an option of another type: {error}", "give a number") from error
