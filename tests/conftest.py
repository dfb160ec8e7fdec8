"""What all tests share: a compile cache of their own, and repeatable property tests."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from precompiled import flags_of

# the same examples on every run, and no example fails for being slow
settings.register_profile("kgenn", derandomize=True, deadline=None, max_examples=25, database=None)
settings.load_profile("kgenn")

# oneDNN in TensorFlow 2.21 computes some convolutions of tiny images wrong by several percent, where the kernel is
# larger than the image and the strides differ; an oracle must not
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")


# fewer tests compile less than the system's headers take
MANY_TESTS = 20


@pytest.fixture(scope="session", autouse=True)
def compile_cache(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep compiled programs in one directory for all workers: $KGENN_TEST_CACHE, or one of the session.

    g++ takes most of the time of the tests, so that they compile with flags of their own, unless $KGENN_CXXFLAGS
    says otherwise; `as_users_compile` has what users have.
    """
    base = tmp_path_factory.getbasetemp()
    # with pytest-xdist each worker has a base of its own inside the session's
    session = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    cache = Path(os.environ.get("KGENN_TEST_CACHE") or session / "kgenn-cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KGENN_CACHE", str(cache))
        if "KGENN_CXXFLAGS" not in os.environ:
            flags = flags_of(cache / "headers", len(request.session.items) > MANY_TESTS)
            patch.setenv("KGENN_CXXFLAGS", flags)
        yield cache


@pytest.fixture
def as_users_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile with kgenn's own flags."""
    monkeypatch.delenv("KGENN_CXXFLAGS", raising=False)


@pytest.fixture(scope="session", autouse=True)
def interrupts() -> Iterator[None]:
    """Let interrupts reach the processes of the tests, where the tests run in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pytest_collection_finish() -> None:
    """Spare the garbage collector what collection made: all tests and TensorFlow. It took a fifth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


STARTED = time.monotonic()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give each test the same random weights on every run, whatever runs before it; skip it when time is up."""
    seconds = item.config.option.seconds
    if seconds is not None and time.monotonic() - STARTED > seconds:
        pytest.skip(f"the {seconds} seconds of --seconds are over")
    if keras := sys.modules.get("keras"):
        keras.utils.set_random_seed(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files from today's output")
    parser.addoption("--seconds", type=int, metavar="N", help="skip the tests that have not begun after N seconds")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the files without quick tests where only these run: most of them import TensorFlow."""
    if config.option.markexpr != "quick" or collection_path.suffix != ".py":
        return None
    return True if "mark.quick" not in collection_path.read_text(encoding="utf-8") else None


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    """Tell whether golden files are to be rewritten."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Path:
    """Return the folder of golden files beside a test."""
    return request.path.parent / "golden"
