"""Find the arrays of a data file that are samples and labels, by their names.

An array is named as an input or an output of the model, or numbered, `x_0`, `x_1` … and `y_0`, `y_1` …, in the
model's order; `x` and `y` are those of a single one. A name may end in `_train` or `_test`. The first way to name
all inputs that a file has holds. Arrays of other names are left alone; an array that is named as one of samples or
labels, and is none, is an error.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from keyword import iskeyword

from kgenn.diagnostics import KgennError, fail
from kgenn.ir.naming import ALL_NAMED, Naming

ENDINGS = ("", "_test", "_train")


@dataclass(frozen=True)
class ArrayNames:
    """What the arrays of a model's samples and labels may be called.

    Attributes:
        inputs, outputs: their names, in order, where they are known; else there is one of each.
        naming: what else there is to these names.
    """

    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()
    naming: Naming = ALL_NAMED

    def samples_in(self, names: Sequence[str], split: str | None, where: str) -> tuple[str, dict[str, str]]:
        """Return the ending of the arrays to read, and those of the inputs by their names.

        Args:
            names: of the file's arrays.
            split: "train" or "test"; None where the file has only one.
            where: the file, for messages.

        Raises:
            KgennError: KG601 where there are none, or only some, or arrays of both splits.
        """
        ways = self._ways_of_inputs()
        plain, test = next(_whole(names, "", ways), None), next(_whole(names, "_test", ways), None)
        own = next(_whole(names, f"_{split}", ways), None) if split is not None else None
        ending, found = (f"_{split}", own) if own is not None else ("", plain)
        if found is None and split is None and test is not None:
            what = f"has the arrays {', '.join(names)}"
            raise fail("KG601", where, what, "say which: --split test or --split train")
        if found is None:
            raise self._missing(names, "" if split is None else f"_{split}", ways, where)
        _refuse_left("x", names, ending, found.values(), self.inputs, where)
        return ending, found

    def labels_in(self, names: Sequence[str], ending: str, samples: Collection[str], where: str) -> dict[str, str]:
        """Return the arrays of the labels of some outputs by their names.

        Args:
            samples: the arrays of the inputs, which are labels only of an output of their name.

        Raises:
            KgennError: KG607 for one that is named as labels and is of no output.
        """
        free = [name for name in names if name not in samples or name.removesuffix(ending) in self.outputs]
        ways = _ways("y", self.outputs, self.naming.outputs_by_name)
        parts = [part for part, _ in _parts(free, ending, ways) if part]
        # an array that is an input's too says less than one that is labels alone
        found = min(parts, key=lambda part: {*part.values()} <= {*samples}, default={})
        _refuse_left("y", free, ending, found.values(), self.outputs, where)
        return found

    def _ways_of_inputs(self) -> tuple[dict[str, str], ...]:
        ways = _ways("x", self.inputs, self.naming.by_name)
        layers = {key: layer for layer, key in self.naming.layers}
        return (*ways, {name: layers.get(name, name) for name in self.inputs}) if layers else ways

    def _missing(
        self, names: Sequence[str], ending: str, ways: Sequence[Mapping[str, str]], where: str
    ) -> KgennError:
        """Return the error of a file that lacks arrays of inputs."""
        has = f"it has {', '.join(names) or 'none'}"
        ending = ending if any(name.endswith(ending) for name in names) else ""
        expected = [f"{stored}{ending}" for stored in next(iter(ways)).values()]
        parts = (part for e in dict.fromkeys((ending, *ENDINGS)) for part in _parts(names, e, ways))
        found, way = max(parts, key=lambda part: len(part[0]))
        if found:
            missing = ", ".join(repr(stored) for name, stored in way.items() if name not in found)
            what = f"has {', '.join(map(repr, found.values()))} and no {missing}; {has}"
        else:
            known = _ways("x", self.inputs, self.naming.by_name)
            what = f"has no array {', and no '.join(' and '.join(way.values()) for way in known)}; {has}"
        labels = [f"y{ending}"] if len(expected) == 1 else []
        advice = f"name the arrays as numpy.savez(path, {_arguments([*expected, *labels])}) does"
        return fail("KG601", where, what, advice)


def _arguments(names: Sequence[str]) -> str:
    """Return arrays as arguments of a call of Python."""
    if all(name.isidentifier() and not iskeyword(name) for name in names):
        return ", ".join(f"{name}=..." for name in names)
    return f"**{{{', '.join(f'{name!r}: ...' for name in names)}}}"


def _refuse_left(
    letter: str, names: Sequence[str], ending: str, used: Collection[str], ports: Sequence[str], where: str
) -> None:
    """Raise an error for an array that is named as one of samples or labels, and is not taken as such.

    Where all arrays are named as inputs or outputs, others are the user's own.
    """
    numbered = re.compile(rf"{letter}(_\d+)?{ending}")
    left = [name for name in names if name not in used and numbered.fullmatch(name)]
    expected = [f"{name}{ending}" for name in ports]
    if not left or (used and {*expected} <= {*used}) or not ports:
        return
    kind, code = ("input", "KG601") if letter == "x" else ("output", "KG607")
    taken = f" beside {', '.join(used)}" if used else ""
    what = f"has {', '.join(left)}{taken}; the model has the {kind}{'s' * (len(ports) != 1)} {', '.join(ports)}"
    raise fail(code, where, what, f"name the arrays as the {kind}s: {', '.join(expected)}")


def _ways(letter: str, names: Sequence[str], by_name: bool) -> tuple[dict[str, str], ...]:
    """Return the ways to name the arrays of inputs or outputs, each a mapping from theirs.

    Args:
        letter: x or y, which is the array of a single one whose name may not be known.
        by_name: there is no order that numbers could follow.
    """
    alone = {names[0] if names else letter: letter}
    if len(names) == 0:
        return (alone,)
    own, numbered = {name: name for name in names}, {name: f"{letter}_{i}" for i, name in enumerate(names)}
    if len(names) == 1:
        return alone, own, numbered
    return (own,) if by_name else (own, numbered)


def _parts(
    names: Collection[str], ending: str, ways: Sequence[Mapping[str, str]]
) -> Iterator[tuple[dict[str, str], Mapping[str, str]]]:
    """Yield for each way to name arrays those that a file has, and the way."""
    for way in ways:
        yield {name: stored + ending for name, stored in way.items() if stored + ending in names}, way


def _whole(names: Collection[str], ending: str, ways: Sequence[Mapping[str, str]]) -> Iterator[dict[str, str]]:
    """Yield the arrays of all inputs for each way to name them that a file has."""
    return (found for found, way in _parts(names, ending, ways) if len(found) == len(way))
