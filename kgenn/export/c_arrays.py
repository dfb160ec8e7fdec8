"""Constant arrays of exported C: each in the smallest type that holds its numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

from kgenn.ir.graph import Array

# Numbers of a line.
LINE = 16


@dataclass(frozen=True)
class CArray:
    """A constant array.

    Attributes:
        name: without the prefix.
        type: of C.
        size: in numbers, at least 1.
        label: what it is, for a comment.
        lines: the numbers.
    """

    name: str
    type: str
    size: int
    label: str
    lines: list[str]


@dataclass(frozen=True)
class ConstantArrays:
    """The constant arrays of a program, in the order in which they were added."""

    items: list[CArray] = field(default_factory=list)

    def add(self, name: str, values: Array, label: str, kind: str | None = None) -> str:
        """Add an array of integers; return its type, the smallest if none is given."""
        numbers = values.ravel().astype("int64").tolist() or [0]
        kind = kind or whole_type(min(numbers), max(numbers))
        self.items.append(CArray(name, kind, len(numbers), label, table_lines(numbers)))
        return kind


def whole_type(low: int, high: int) -> str:
    """Return the smallest type of C that holds integers from low to high."""
    bits = next(bits for bits in (8, 16, 32) if -(2 ** (bits - 1)) <= low <= high < 2 ** (bits - 1))
    return f"int{bits}_t"


def table_lines(numbers: list[int]) -> list[str]:
    """Return numbers as the lines of an initialiser; the least of 32 bits, which C cannot write, by its name."""
    texts = ["INT32_MIN" if n == -(2**31) else str(n) for n in numbers]
    return [", ".join(texts[i : i + LINE]) + "," for i in range(0, len(texts), LINE)]
