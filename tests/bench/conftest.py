"""Run the command line in this process, and keep the results of one finished sweep."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kgenn.cli import invoke
from sweeps import SMALL, TINY, run, written


@pytest.fixture
def kgenn(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs one command line, and gives its exit code and what it printed."""

    def call(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = invoke([str(argument) for argument in arguments])
        return code, *capfd.readouterr()

    return call


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """Return a configuration, and the results of its sweep run at one go by one worker."""
    directory = tmp_path_factory.mktemp("small")
    config = written(directory, SMALL)
    done = run(config, "-o", directory / "results", "--workers", 1)
    assert done.returncode == 0, done.stderr
    return config, (directory / "results/results.jsonl").read_bytes()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a configuration, and the finished results directory of its sweep, to be copied."""
    directory = tmp_path_factory.mktemp("tiny")
    config = written(directory, TINY, "tiny.toml")
    done = run(config, "-o", directory / "results", "--workers", 1)
    assert done.returncode == 0, done.stderr
    return config, directory / "results"
