"""What all tests share: a compile cache of their own, and repeatable property tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# the same examples on every run, and no example fails for being slow
settings.register_profile("kgenn", derandomize=True, deadline=None, max_examples=25, database=None)
settings.load_profile("kgenn")


@pytest.fixture(scope="session", autouse=True)
def compile_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep compiled programs in one directory for the session, shared by all of its worker processes."""
    base = tmp_path_factory.getbasetemp()
    # with pytest-xdist each worker has a base of its own inside the session's
    session = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KGENN_CACHE", str(session / "kgenn-cache"))
        yield session / "kgenn-cache"
