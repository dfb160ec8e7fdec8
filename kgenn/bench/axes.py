"""The axes of a sweep: every option of the command line that changes a network, by the name of its flag."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from kgenn.backends import TARGETS
from kgenn.bench.toml_file import TomlPath
from kgenn.comma_list import entries, entry
from kgenn.config import flags_of, options_of
from kgenn.diagnostics import known_names
from kgenn.ir.network import ReadoutKind
from kgenn.methods import converters, encoders
from kgenn.passes import LoweringOptions
from kgenn.timestep_search import TimestepSearch

AUTO = "auto"
# Who has the options of `kgenn.timestep_search.TimestepSearch`.
SEARCHED = "timesteps auto"
WORDS: Mapping[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}


@dataclass(frozen=True)
class SweepAxis:
    """A key of a sweep.

    Attributes:
        name: the key, as the flag is called.
        kind: bool, int, float or str.
        choices: the legal values, where they are few.
        owners: the converters and encoders that have the option, as "converter few-spike", or `SEARCHED` where
            it is one of the search for timesteps; none for an option that every sweep has.
        word: a value beside those of the kind, such as "auto".
        of_inputs: a value may be a table of inputs, or name them in a text, as "image=poisson, meta=direct".
    """

    name: str
    kind: type
    choices: tuple[str, ...] = ()
    owners: frozenset[str] = frozenset()
    word: str | None = None
    of_inputs: bool = False

    @property
    def field(self) -> str:
        """Return the option's name as a field."""
        return self.name.replace("-", "_")

    def read(self, value: Any, place: TomlPath) -> Any:
        """Return a value after checking its type, and that it is one of the choices.

        Raises:
            KgennError: KG620.
        """
        if self.word is not None and value == self.word:
            return value
        if self.of_inputs and isinstance(value, dict) and value:
            return ", ".join(entry(f"{name}={self.read(each, place / name)}") for name, each in value.items())
        fits = isinstance(value, (int, float) if self.kind is float else self.kind)
        if not fits or (isinstance(value, bool) and self.kind is not bool):
            also = f" or {self.word!r}" if self.word is not None else ""
            raise place.fail(f"{self.name} is {value!r}", f"give {WORDS[self.kind]}{also}")
        try:
            values = [*named(str(value)).values()] if self.of_inputs else [value]
        except ValueError as error:
            advice = "give a table of inputs, or put an entry with a comma in quotes"
            raise place.fail(str(error), advice) from error
        for own in values:
            if self.choices and own not in self.choices:
                raise place.fail(f"{self.name} is {own!r}", known_names(own, self.choices))
        return float(value) if self.kind is float else value


def named(text: str) -> dict[str, str]:
    """Return the values of a text such as "image=poisson, meta=direct" by name; "" for one of all inputs.

    Raises:
        ValueError: where it is no list.
    """
    parts = (part.rpartition("=") for part in entries(text))
    return {name.strip(): value.strip() for name, _, value in parts}


@cache
def axes() -> Mapping[str, SweepAxis]:
    """Return all axes by name: those that every sweep has, then the options of converters and encoders."""
    found = [
        SweepAxis("converter", str, tuple(converters().classes)),
        SweepAxis("encoder", str, tuple(encoders().classes), of_inputs=True),
        SweepAxis("timesteps", int, word=AUTO),
        SweepAxis("readout", str, get_args(ReadoutKind)),
        SweepAxis("seed", int),
        SweepAxis("target", str, TARGETS.names()),
    ]
    found += [SweepAxis(o.flag[2:], o.kind, o.choices, word=o.word) for o in options_of(LoweringOptions)]
    found += [SweepAxis(o.flag[2:], o.kind, o.choices, frozenset({SEARCHED})) for o in options_of(TimestepSearch)]
    for kind, classes in (("converter", converters().classes), ("encoder", encoders().classes)):
        found += [
            SweepAxis(
                f.option.flag[2:],
                f.option.kind,
                f.option.choices,
                frozenset(f"{kind} {name}" for name in f.owners),
            )
            for f in flags_of(classes).values()
        ]
    by_name = {axis.name: axis for axis in found}
    assert len(by_name) == len(found), "two options have one name"
    return by_name
