"""Run a test for each of many values, as one test: a product of networks and options is collected once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable
from functools import wraps
from typing import Any

import pytest


def looped(names: str, values: Iterable[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that runs a test for every value, and fails with a note of all values that fail.

    It takes the arguments of `pytest.mark.parametrize`, and stands below it where both are used.

    Args:
        names: of parameters, with commas between them; of one parameter, or of those that each value has.
    """
    own = [name.strip() for name in names.split(",")]
    cases = list(values)
    assert cases, "a test of nothing"

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @wraps(test)
        def run(**others: Any) -> None:
            failed: list[tuple[Any, Exception]] = []
            skipped = 0
            for case in cases:
                try:
                    test(**dict(zip(own, (case,) if len(own) == 1 else case, strict=True)), **others)
                except pytest.skip.Exception:
                    skipped += 1
                except Exception as error:
                    failed.append((case, error))
            if failed:
                raise _noted(failed, len(cases))
            if skipped == len(cases):
                pytest.skip("no value has it")

        signature = inspect.signature(test)
        left = [parameter for name, parameter in signature.parameters.items() if name not in own]
        assert len(left) == len(signature.parameters) - len(own), f"{test.__name__} lacks a parameter of {own}"
        run.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
        return run

    return decorate


def _noted(failed: Collection[tuple[Any, Exception]], count: int) -> Exception:
    """Return the first error, with the values that failed."""
    names = ", ".join(str(case) for case, _ in failed)
    error = next(iter(failed))[1]
    error.add_note(f"fails for {len(failed)} of {count}: {names}")
    return error
