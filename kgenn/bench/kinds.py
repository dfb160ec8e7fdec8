"""What a sweep says of its models' outputs: task, metric and threshold, of all of them or one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from kgenn.bench.scope import ConfigTable, ConfigValue
from kgenn.comma_list import entry
from kgenn.tasks import TASKS
from kgenn.tasks.goal import Choice, choices

# A value for all outputs, or pairs of an output and its value.
Given = Any


@dataclass(frozen=True)
class Kinds:
    """What outputs are for, as far as the user says it.

    Attributes:
        task, metric, threshold: for all outputs, or pairs of an output's name and its own; None if not given.
    """

    task: Given = None
    metric: Given = None
    threshold: Given = None

    def choices(self, outputs: Sequence[str]) -> dict[str, Choice]:
        """Return the choice of each output.

        Raises:
            KgennError: KG401 for an output that a model lacks.
        """
        values = self.to_dict()
        return choices(outputs, *(values.get(field.name) for field in fields(self)))

    def to_dict(self) -> dict[str, Any]:
        """Return what is said as JSON-able data."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {n: dict(v) if isinstance(v, tuple) else v for n, v in given.items() if v is not None}

    def flags(self) -> list[str]:
        """Return the flags of `kgenn compile`."""
        words: list[str] = []
        for name, value in self.to_dict().items():
            named = value if isinstance(value, Mapping) else {"": value}
            for output, own in named.items():
                words += [f"--{name}", entry(f"{output}={own}") if output else str(own)]
        return words


# Nothing is said.
UNSPECIFIED = Kinds()


def kinds_of(scope: ConfigTable) -> Kinds:
    """Return what a sweep says of its outputs.

    Raises:
        KgennError: KG620.
    """
    readers = {"task": _task, "metric": ConfigValue.text, "threshold": _number}
    return Kinds(**{name: _given(scope, name, read) for name, read in readers.items()})


def _given(scope: ConfigTable, name: str, read: Callable[[ConfigValue], Any]) -> Given:
    found = scope.get(name)
    if found is None:
        return None
    if not isinstance(found.value, dict):
        return read(found)
    return tuple((output, read(ConfigValue(value, found.place / output))) for output, value in found.value.items())


def _task(found: ConfigValue) -> str:
    return found.one_of(tuple(TASKS))


def _number(found: ConfigValue) -> float:
    if isinstance(found.value, bool) or not isinstance(found.value, int | float):
        raise found.place.fail(f"threshold is {found.value!r}", "give a number")
    return float(found.value)
