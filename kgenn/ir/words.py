"""Say in a few words what shapes and paddings are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kgenn.ir.windows import Padding, Pads


def times(shape: tuple[int, ...]) -> str:
    """Return a shape as 28×28×1."""
    return "×".join(map(str, shape)) or "1"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, as 1 sample or 2,000 samples."""
    return f"{number:,} {noun}" + "s" * (number != 1)


def padding_words(padding: Padding | Pads) -> str:
    """Return a padding by its name, or as the zeros before and after each axis."""
    if isinstance(padding, str):
        return padding
    return "zeros " + ", ".join(f"{before}+{after}" for before, after in padding)
