"""The default tests of a product have every value of every axis."""

from __future__ import annotations

import pytest

from covering import covering, leading

pytestmark = pytest.mark.quick


def by_default(cases: list) -> list[tuple]:
    return [case.values for case in cases if not case.marks]


def test_every_value_of_every_axis_runs_by_default_and_the_product_in_all() -> None:
    cases = covering("abc", [1, 2])
    assert [case.values for case in cases] == [("a", 1), ("a", 2), ("b", 1), ("b", 2), ("c", 1), ("c", 2)]
    assert by_default(cases) == [("a", 1), ("b", 2), ("c", 1)]


def test_values_need_not_differ_or_be_comparable() -> None:
    assert by_default(covering([[], []], [{}])) == [([], {}), ([], {})]


def test_the_first_cases_run_by_default() -> None:
    first, second, *others = leading(["a", ("b", 1), "c", ("d", 2), pytest.param("e", id="last")], 2)
    assert [first, second] == ["a", ("b", 1)]
    assert [case.values for case in others] == [("c",), ("d", 2), ("e",)]
    assert [case.id for case in others] == [None, None, "last"]
    assert all(case.marks == (pytest.mark.slow,) for case in others)
