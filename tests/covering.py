"""Tests of a product of networks, methods and options: a sample of them by default, the rest as slow tests."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

import pytest


def covering(*axes: Iterable[Any]) -> list[Any]:
    """Return the product of axes as parameters of a test; what the sample lacks is marked slow.

    The sample has every value of every axis: the first combination has the first value of each, the second one
    the second, and so on; a shorter axis begins again where it ends.
    """
    values = [list(axis) for axis in axes]
    longest = max(map(len, values))
    sample = {tuple(i % len(axis) for axis in values) for i in range(longest)}
    found = []
    for at in product(*(range(len(axis)) for axis in values)):
        case = pytest.param(*(axis[i] for axis, i in zip(values, at, strict=True)))
        found.append(case if at in sample else slow(case))
    return found


def leading(cases: Iterable[Any], count: int = 1) -> list[Any]:
    """Return the cases of a test, of which those after the first `count` are marked slow."""
    return [case if i < count else slow(case) for i, case in enumerate(cases)]


def in_parts(cases: Iterable[Any], size: int = 12) -> list[list[Any]]:
    """Return cases in lists of some, for a test that shares a program among those of a list."""
    every = list(cases)
    return [every[first : first + size] for first in range(0, len(every), size)]


def slow(case: Any) -> Any:
    """Return a case of a test, marked slow: a value, a tuple of values, or what pytest.param gives."""
    given = case if hasattr(case, "marks") else pytest.param(*(case if isinstance(case, tuple) else (case,)))
    return pytest.param(*given.values, marks=(*given.marks, pytest.mark.slow), id=given.id)
