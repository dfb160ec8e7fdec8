"""Words that options take: names that a shell completes, lists with commas, numbers or a word."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import click
from click.shell_completion import CompletionItem
from click.types import StringParamType


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
    return tuple(part.strip() for text in texts for part in text.split(","))


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
