"""Tests in loops fail like tests in tables: for every value that fails, by name."""

from __future__ import annotations

import inspect

import pytest

from looped import looped

pytestmark = pytest.mark.quick


def test_every_value_runs_and_all_that_fail_are_named() -> None:
    ran: list[int] = []

    @looped("number", range(6))
    def test(number: int) -> None:
        ran.append(number)
        assert number % 2 == 0

    with pytest.raises(AssertionError) as caught:
        test()
    assert ran == list(range(6))
    assert caught.value.__notes__ == ["fails for 3 of 6: 1, 3, 5"]


def test_other_parameters_stay_for_pytest() -> None:
    found: list[tuple[str, int, str]] = []

    @looped("name, size", [("a", 1), ("b", 2)])
    def test(name: str, size: int, other: str) -> None:
        found.append((name, size, other))

    assert list(inspect.signature(test).parameters) == ["other"]
    test(other="c")
    assert found == [("a", 1, "c"), ("b", 2, "c")]


def test_a_value_that_is_skipped_leaves_the_others() -> None:
    @looped("number", range(2))
    def some(number: int) -> None:
        if number:
            pytest.skip("not this one")

    @looped("number", range(2))
    def none(number: int) -> None:
        pytest.skip("neither")

    some()
    with pytest.raises(pytest.skip.Exception):
        none()
