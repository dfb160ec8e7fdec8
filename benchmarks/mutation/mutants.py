"""List the mutants of a source file: each differs from it in one place of one line.

The rules work on text, for C++, Python and templates of both alike. House style has blanks around operators, so
that `a < b` is told from `Array<T>`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

# (pattern, replacement): what the rule finds and what it writes instead
RULES: tuple[tuple[str, str], ...] = (
    (r" < (?!\")", " <= "),
    (r" <= ", " < "),
    (r" > ", " >= "),
    (r" >= ", " > "),
    (r" == ", " != "),
    (r" != ", " == "),
    (r"(?<=[\w)\]]) \+ ", " - "),
    (r"(?<=[\w)\]]) - ", " + "),
    (r"(?<=[\w)\]]) \* (?=[\w(])", " + "),
    (r" / ", " * "),
    (r" % ", " / "),
    (r" \+= ", " = "),
    (r" \+= ", " -= "),
    (r" -= ", " += "),
    (r" && | and ", " || "),
    (r" \|\| | or ", " && "),
    (r"\bmin\b(?=[(<])", "max"),
    (r"\bmax\b(?=[(<])", "min"),
    (r"\btrue\b", "false"),
    (r"\bfalse\b", "true"),
    (r"\bTrue\b", "False"),
    (r"\bFalse\b", "True"),
    (r"(?<![\w.])0(?![\w.x])", "1"),
    (r"(?<![\w.])1(?![\w.])", "2"),
    (r"(?<![\w.])2(?![\w.])", "3"),
    (r"(?<![\w.])0\.5f?(?!\w)", "0.25"),
)
PYTHON_WORDS = {" || ": " or ", " && ": " and "}
# statements that may be left out: a call, an assignment, a jump
STATEMENT = re.compile(
    r"^\s*(?!return|const|auto|using|static|inline)[\w*>.\[\]-]+( [-+*|]?= |\(|;)(?!.* const;).*;?$"
)
PYTHON_STATEMENT = re.compile(r"^\s+(?!return|def|class|import|from|yield)[\w.\[\]]+( [-+*]?= |\().*$")
SKIPPED = re.compile(r"^\s*(//|#|/?\*|\{%|\{#|\"\"\"|$|@|import |from |using |namespace|template )|static_assert")


@dataclass(frozen=True)
class Mutant:
    """A change of one line.

    Attributes:
        number: of the line, from 1.
        before, after: the line; `after` is empty where it is left out.
    """

    number: int
    before: str
    after: str

    def apply(self, text: str) -> str:
        """Return the text with the change."""
        lines = text.splitlines(keepends=True)
        assert lines[self.number - 1].rstrip("\n") == self.before
        lines[self.number - 1] = f"{self.after}\n"
        return "".join(lines)

    def __str__(self) -> str:
        after = f"`{self.after.strip()}`" if self.after else "dropped"
        return f"{self.number}: `{self.before.strip()}` → {after}"


def mutants(text: str, python: bool, excluded: range = range(0)) -> Iterator[Mutant]:
    """Yield every mutant of a text.

    Args:
        python: Python, or a template of it; else C++.
        excluded: numbers of lines to leave alone.
    """
    quoted = False
    for number, line in enumerate(text.splitlines(), 1):
        if python and line.count('"""') % 2:  # the first or the last line of a docstring
            quoted = not quoted
            continue
        if quoted or SKIPPED.match(line) or number in excluded:
            continue
        code = len(line.split("  # " if python else "  // ")[0])
        for pattern, new in RULES:
            for found in re.finditer(pattern, line[:code]):
                written = PYTHON_WORDS.get(new, new) if python else new
                after = line[: found.start()] + written + line[found.end() :]
                if found.group() != written:
                    yield Mutant(number, line, after)
        if (PYTHON_STATEMENT if python else STATEMENT).match(line[:code]):
            blank = line[: len(line) - len(line.lstrip())] + "pass" if python else ""
            yield Mutant(number, line, blank)


def sampled(texts: dict[str, list[Mutant]], count: int, seed: int) -> list[tuple[str, Mutant]]:
    """Return so many mutants of some files, as many of each file as its length asks for, at least one."""
    total = sum(map(len, texts.values()))
    chosen: list[list[tuple[str, Mutant]]] = []
    for name, found in texts.items():
        share = min(len(found), max(1, round(count * len(found) / max(total, 1))))
        picked = random.Random(f"{seed} {name}").sample(found, share)
        chosen.append([(name, mutant) for mutant in picked])
    rounds = zip_longest(*chosen)
    return [pair for together in rounds for pair in together if pair is not None]
