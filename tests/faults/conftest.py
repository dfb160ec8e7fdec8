"""A compiled network, and processes that end with their test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faulty import Process, compile_arguments, kgenn


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the shipped network, compiled for the reference."""
    output = tmp_path_factory.mktemp("compiled") / "mnist"
    done = kgenn(*compile_arguments(output))
    assert done.code == 0, done.err
    return output


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    """Return a function that starts a command line; what still runs of it at the end of the test is killed."""
    processes: list[Process] = []

    def started(*arguments: object, **environment: str) -> Process:
        processes.append(Process(arguments, environment))
        return processes[-1]

    yield started
    for process in processes:
        process.kill()
