"""Run the command line in this process, on the shipped model and data."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import Kgenn, Outcome, compile_arguments
from kgenn.cli import invoke


@pytest.fixture
def kgenn(capfd: pytest.CaptureFixture[str]) -> Kgenn:
    """Return a function that runs one command line."""

    def run(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = invoke([str(argument) for argument in arguments])
        return Outcome(code, *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the shipped model compiled for the target cpu."""
    output = tmp_path_factory.mktemp("compiled") / "mnist"
    assert invoke([str(argument) for argument in compile_arguments(output)]) == 0
    return output
