"""Words that options take: names that a shell completes, lists with commas, numbers or a word."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import click
from click.shell_completion import CompletionItem
from click.types import StringParamType

from kgenn.comma_list import entries
from kgenn.ir.graph import Shape

# 64,64,3 or, as Keras and kgenn print it, (64, 64, 3) or 64×64×3.
SHAPE = re.compile(r"\(?\s*\d{1,10}(\s*[,x×]\s*\d{1,10})*\s*,?\s*\)?")


class Known(StringParamType):
    """A name of some that are known, or a list of such, each perhaps behind `NAME=`; what it is, is checked later.

    Attributes:
        names: returns the names, when a shell asks for them.
    """

    def __init__(self, names: Callable[[], Iterable[str]]) -> None:
        self.names = names

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the names that begin as the last of a list does."""
        cut = max(incomplete.rfind(","), incomplete.rfind("=")) + 1
        before, begun = incomplete[:cut], incomplete[cut:]
        return [CompletionItem(before + name) for name in self.names() if name.startswith(begun)]


def listed(context: click.Context, parameter: click.Parameter, texts: Sequence[str]) -> tuple[str, ...]:
    """Return the entries of lists with commas that an option has, which may stand several times; for click."""
    try:
        return tuple(part for text in texts for part in entries(text))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def whole_or(word: str) -> Callable[[click.Context, click.Parameter, str | None], int | str | None]:
    """Return a callback of click that reads a whole number, or a word."""

    def read(context: click.Context, parameter: click.Parameter, text: str | None) -> int | str | None:
        if text is None or text == word:
            return text
        try:
            return int(text)
        except ValueError:
            raise click.BadParameter(f"{text!r} is neither a whole number nor {word}") from None

    return read


def shapes_of(
    context: click.Context, parameter: click.Parameter, texts: Sequence[str]
) -> Shape | dict[str, Shape] | None:
    """Return a shape, or those of some inputs by their names; a callback of click."""
    named = one_or_named(texts)
    if named is None:
        raise click.BadParameter("give one shape, or one for each input by its name")
    found: dict[str, Shape] = {}
    for name, text in named.items():
        if not SHAPE.fullmatch(text.strip()):
            raise click.BadParameter(f"{text!r} is not a shape such as 64,64,3")
        found[name] = tuple(map(int, re.findall(r"\d+", text)))
    return found.get("", found) if found else None


def one_or_named(texts: Sequence[str]) -> dict[str, str] | None:
    """Return the values of `[NAME=]VALUE` by name, "" for all inputs; None unless one holds for each input."""
    named = {name: text for name, _, text in (text.rpartition("=") for text in texts)}
    return None if len(named) < len(texts) or ("" in named and len(named) > 1) else named
