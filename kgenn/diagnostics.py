"""Diagnostics: what a user did that kgenn cannot follow, where, and what to do about it.

Every diagnostic has a code. The hundreds say which stage found it: KG1xx reading, 2xx constraints, 3xx
lowering, 4xx conversion, 5xx backend and toolchain, 6xx running.

An error ends the work: it is raised in a `KgennError`. A warning does not: it is a value that travels with the
result it casts doubt on, as `Settings.warnings`, `Network.warnings` or `Result.warnings`. The command line prints
warnings to stderr after the result, and `--json` has them as an entry; the Python interface announces them.
"""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from kgenn.diagnostic_codes import CODES
from kgenn.remedies import in_python

Severity = Literal["error", "warning"]

# Places of one kind of diagnostic that are named beside the first.
MAX_NAMED = 4
# A number in what a diagnostic says, which may differ between places of one kind.
NUMBER = re.compile(r"\d[\d.,]*")
# Known names that a message lists in full, and the nearest ones that it lists of more.
MAX_KNOWN = 24
NEAREST = 6
# Share of the letters that two names have in common where one is taken for a slip of the other: a letter of five
# left out, added or another; two of eight.
LIKE = 0.75
EXIT_USER = 1
EXIT_USAGE = 2
EXIT_TOOLCHAIN = 3
# What no change of the input mends: no compiler, a failed build, a library that does not load, no memory,
# no room for temporary files.
FAILURES = frozenset(
    {
        "KG501",
        "KG502",
        "KG504",
        "KG505",
        "KG506",
        "KG507",
        "KG508",
        "KG510",
        "KG608",
        "KG609",
        "KG610",
        "KG623",
        "KG624",
    }
)
# What leaves a result in doubt, and does not end the work.
WARNINGS = frozenset({"KG450", "KG451", "KG452", "KG453", "KG454", "KG650", "KG651"})


def visible(text: str) -> str:
    """Return a text with escapes for what cannot be seen, or could steer a terminal: names come from files."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


@dataclass(frozen=True)
class Diagnostic:
    """One finding.

    Attributes:
        code: a key of `kgenn.diagnostic_codes.CODES`, such as "KG201".
        where: the file, the layer with its Keras class, or the option concerned.
        what: what was found, and what is allowed.
        help: what to do; empty where `what` says it all.
    """

    code: str
    where: str
    what: str
    help: str = ""

    def __post_init__(self) -> None:
        assert self.code in CODES, f"undocumented diagnostic code {self.code}"

    def __str__(self) -> str:
        """Return it for a caller from Python: its remedy names the arguments of functions."""
        where = in_python(self.where) if self.where.startswith("--") else self.where
        return replace(self, where=where, help=in_python(self.help)).for_terminal()

    def for_terminal(self) -> str:
        """Return it for the command line: its remedy names the options of commands."""
        text = visible(f"{self.label} {self.where}: {self.what}")
        return f"{text}\n  help: {visible(self.help)}" if self.help else text

    @property
    def label(self) -> str:
        """Return its severity and its code, as messages begin."""
        return f"{self.severity}[{self.code}]"

    @property
    def severity(self) -> Severity:
        """Return whether it ends the work, or goes with the result."""
        return "warning" if self.code in WARNINGS else "error"

    def to_dict(self) -> dict[str, str]:
        """Return its fields and its severity as JSON-able data."""
        return {"severity": self.severity, **asdict(self)}

    @classmethod
    def from_dict(cls, entry: Any) -> Diagnostic:
        """Return what `to_dict` gave.

        Raises:
            ValueError: where it is something else.
        """
        names = [field.name for field in fields(cls)]
        whole = isinstance(entry, Mapping) and all(isinstance(entry.get(name), str) for name in names)
        if not whole or entry["code"] not in CODES:
            raise ValueError("is no diagnostic")
        return cls(**{name: entry[name] for name in names})


class KgennError(Exception):
    """One or more diagnostics that end the work; `exit_code` is what the command line returns."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        assert self.diagnostics, "an error needs a diagnostic"
        super().__init__("\n".join(str(d) for d in self.diagnostics))

    @property
    def exit_code(self) -> int:
        """3 where the toolchain or the run failed, 1 where the user's input did."""
        return EXIT_TOOLCHAIN if any(d.code in FAILURES for d in self.diagnostics) else EXIT_USER


class KgennWarning(UserWarning):
    """A diagnostic that leaves a result in doubt, as Python's `warnings` shows it.

    `warnings.simplefilter("error", kgenn.KgennWarning)` makes it an exception, and "ignore" silences it.

    Attributes:
        diagnostic: its code, place and remedy.
    """

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(str(diagnostic))
        self.diagnostic = diagnostic


def announce(diagnostics: Iterable[Diagnostic], stacklevel: int = 3) -> None:
    """Give each diagnostic once to Python's `warnings`.

    Args:
        stacklevel: 3 for a public function that a user calls and that calls this one.
    """
    for diagnostic in dict.fromkeys(diagnostics):
        warnings.warn(KgennWarning(diagnostic), stacklevel=stacklevel)


def fail(code: str, where: str, what: str, help: str = "") -> KgennError:
    """Return a `KgennError` of one diagnostic, for `raise fail(...)`."""
    return KgennError([Diagnostic(code, where, what, help)])


def grouped(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return diagnostics with those of one kind as one, in the order of the first of each kind.

    Of one kind are those with the same code, remedy and words, at several places; numbers may differ.
    """
    kinds: dict[tuple[str, str, str], list[Diagnostic]] = {}
    for diagnostic in dict.fromkeys(diagnostics):
        kind = diagnostic.code, diagnostic.help, NUMBER.sub("0", diagnostic.what)
        kinds.setdefault(kind, []).append(diagnostic)
    return tuple(_as_one(kind) for kind in kinds.values())


def _as_one(kind: list[Diagnostic]) -> Diagnostic:
    """Return diagnostics of one kind as one, which names some of the places."""
    first, *rest = kind
    others = [where for where in dict.fromkeys(d.where for d in rest) if where != first.where]
    if not others:
        return first
    named = ", ".join(others[:MAX_NAMED])
    more = "" if len(others) <= MAX_NAMED else f" and {len(others) - MAX_NAMED} more"
    return replace(first, what=f"{first.what}; likewise {named}{more}")


def nearest_name(name: str, known: Iterable[str]) -> str:
    """Return the known name that a name was probably meant to be: nearly the same letters; empty where none is."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=LIKE)), "")


def known_names(name: str, known: Iterable[str], listing: str = "") -> str:
    """List what is known, the nearest name first where there is one; of many names only the nearest.

    Args:
        listing: a command that lists them all.
    """
    names = sorted(known)
    near = nearest_name(name, names)
    hint = f"did you mean {near!r}? " if near else ""
    if len(names) <= MAX_KNOWN:
        return f"{hint}known: {', '.join(names)}"
    nearest = difflib.get_close_matches(name, names, n=NEAREST, cutoff=0.0)
    more = f"{len(names) - len(nearest)} more"
    return f"{hint}known: {', '.join(nearest)} and {more}" + (f", which {listing} lists" if listing else "")
