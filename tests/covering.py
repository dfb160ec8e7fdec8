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
    return [
        pytest.param(
            *(axis[i] for axis, i in zip(values, at, strict=True)),
            marks=() if at in sample else pytest.mark.slow,
        )
        for at in product(*(range(len(axis)) for axis in values))
    ]


def leading(cases: Iterable[Any], count: int = 1) -> list[Any]:
    """Return the cases of a test, each a value or a tuple; those after the first `count` are marked slow."""
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=() if i < count else pytest.mark.slow)
        for i, case in enumerate(cases)
    ]
