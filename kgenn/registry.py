"""Lazy tables: a name, and the "module:attribute" that is imported only when the name is used."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from kgenn.diagnostics import KgennError, fail, known_names

T = TypeVar("T")
REPAIR = "repair the plug-in, or uninstall its package"


@contextmanager
def code_of_others(where: str, what: str) -> Iterator[None]:
    """Turn whatever the code of another package raises into KG420, except kgenn's own errors.

    Args:
        where: the entry, with its kind.
        what: what it cannot do.
    """
    try:
        yield
    except KgennError:
        raise
    except (Exception, SystemExit) as error:
        raise fail("KG420", where, f"{what}: {type(error).__name__}: {error}", REPAIR) from error


def summary(entry: object) -> str:
    """Return the first line of what an entry's docstring says."""
    return (entry.__doc__ or "").strip().partition("\n")[0]


@dataclass(frozen=True)
class Plugin:
    """An entry point of another package.

    Attributes:
        kind: what it adds: "layer", "converter" …
        package: the package's name and version; empty where it does not say.
        problem: why it cannot be used; empty where it can.
    """

    name: str
    kind: str
    package: str
    problem: str


@dataclass(frozen=True, eq=False)
class Registry(Generic[T]):
    """Map names to objects without importing them.

    Attributes:
        kind: what the entries are, for messages: "layer", "converter" …
        group: the entry-point group in which other packages add entries.
        table: name to "module:attribute".
        code: the diagnostic code of an unknown name.
        base: "module:class" of the class from which the entries of other packages derive; empty where they are
            functions.
    """

    kind: str
    group: str
    table: Mapping[str, str] = field(repr=False)
    code: str = "KG401"
    base: str = ""

    @cached_property
    def points(self) -> tuple[EntryPoint, ...]:
        """Return the installed entry points, in order."""
        return tuple(sorted(entry_points(group=self.group), key=lambda point: (point.name, point.value)))

    @cached_property
    def entries(self) -> dict[str, str]:
        """Return the table with the installed entry points added; a built-in name cannot be replaced."""
        outside = {point.name: point.value for point in reversed(self.points)}
        return {**outside, **self.table}

    def names(self) -> tuple[str, ...]:
        """Return all known names, in order."""
        return tuple(sorted(self.entries))

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def get(self, name: str) -> T:
        """Import and return the entry.

        Raises:
            KgennError: of the registry's code for an unknown name, with a list of what is known; KG420 for an
                entry of another package that cannot be imported, or is not what its group says.
        """
        if not isinstance(name, str) or name not in self.entries:
            name = str(name)
            raise fail(self.code, name, f"unknown {self.kind}", known_names(name, self.entries))
        if name in self.table:
            return self._import(name)
        with code_of_others(f"{self.kind} {name}", f"cannot be imported from {self.entries[name]}"):
            entry = self._import(name)
        for problem in self._problems(name, entry):
            raise fail("KG420", f"{self.kind} {name}", f"{self.entries[name]} {problem}", REPAIR)
        return entry

    def usable(self) -> dict[str, T]:
        """Return the entries by name, kgenn's own first, without those of other packages that cannot be used."""
        found: dict[str, T] = {name: self.get(name) for name in sorted(self.table)}
        for name in self.names():
            if name not in found and not self._problem(name):
                found[name] = self.get(name)
        return found

    def plugins(self) -> tuple[Plugin, ...]:
        """Return what other packages add, and why some of it cannot be used."""
        return tuple(self._plugin(point) for point in self.points)

    def _plugin(self, point: EntryPoint) -> Plugin:
        package = f"{point.dist.name} {point.dist.version}" if point.dist else ""
        if point.name in self.table:
            problem = f"kgenn has a {self.kind} of this name"
        elif point.value != self.entries[point.name]:
            problem = f"another package has a {self.kind} of this name: {self.entries[point.name]}"
        else:
            problem = self._problem(point.name)
        return Plugin(point.name, self.kind, package, problem)

    def _problem(self, name: str) -> str:
        try:
            self.get(name)
        except KgennError as error:
            return error.diagnostics[0].what
        return ""

    def _import(self, name: str) -> T:
        return _imported(self.entries[name])  # type: ignore[no-any-return]

    def _problems(self, name: str, entry: Any) -> Iterator[str]:
        """Yield what is wrong with an entry of another package."""
        if not self.base:
            if not callable(entry):
                yield "cannot be called"
            return
        base = _imported(self.base)
        if not (isinstance(entry, type) and issubclass(entry, base)):
            yield f"is not a subclass of {base.__module__}.{base.__name__}"
            return
        if inspect.isabstract(entry):
            yield f"does not define {', '.join(sorted(getattr(entry, '__abstractmethods__', ())))}"
        declared = [n for n, kind in inspect.get_annotations(base).items() if str(kind).startswith("ClassVar")]
        missing = [variable for variable in declared if not hasattr(entry, variable)]
        if missing:
            yield f"has no class variable {', '.join(missing)}"
        elif "name" in declared and (own := vars(entry).get("name", "")) != name:
            yield f"calls itself {own!r}, and its entry point {name!r}"


def _imported(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)


def extra(module: str, group: str) -> Any:
    """Return a module of an optional dependency.

    Args:
        module: its name.
        group: the extra of kgenn that installs it.

    Raises:
        KgennError: KG508 where it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        what = f"needs the package {error.name}, which is not installed"
        raise fail("KG508", "kgenn bench", what, f"pip install 'kgenn[{group}]'") from None
