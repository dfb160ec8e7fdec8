"""A sweep that is killed goes on where it was, and ends with the same bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeps import ROOT, cells, command, run

# Seconds after which something hangs.
PATIENCE = 120


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Return a list for processes; what still runs of them at the end is killed."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def children(pid: int) -> list[int]:
    """Return the processes that a process started and that are there still."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


def running(pid: int) -> bool:
    """Tell whether a process is there and not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(happens: object, process: subprocess.Popen[bytes]) -> bool:
    """Wait until something happens; return whether it did before the process ended."""
    assert callable(happens)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if happens():
            return True
        if process.poll() is not None:
            return False
        time.sleep(0.002)
    raise AssertionError("nothing happens")


def finished(results: Path) -> int:
    """Return how many lines there are."""
    path = results / "cells.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_a_sweep_killed_at_random_moments_ends_with_the_same_bytes(
    small: tuple[Path, bytes], tmp_path: Path, started: list[subprocess.Popen[bytes]], seed: int
) -> None:
    config, expected = small
    results, rng = tmp_path / "results", random.Random(seed)
    kills = 0
    for least in (1, 4, 8):
        process = subprocess.Popen(
            command(config, "-o", results, "--workers", 2), cwd=ROOT, stderr=subprocess.DEVNULL
        )
        started.append(process)
        wanted = least + rng.randrange(3)
        if until(lambda wanted=wanted: finished(results) >= wanted, process):
            time.sleep(rng.uniform(0, 0.1))
            kills += process.poll() is None
            process.kill()
        process.wait()
        kept = finished(results)
        assert kept >= wanted
        assert len({line["key"] for line in cells(results)}) == kept
    assert kills > 0
    assert run(config, "-o", results, "--workers", 2).returncode == 0
    assert len(cells(results)) == 12
    assert (results / "results.jsonl").read_bytes() == expected


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds processes by Linux' /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_workers_end_with_the_process_that_started_them(
    small: tuple[Path, bytes], tmp_path: Path, started: list[subprocess.Popen[bytes]], how: signal.Signals
) -> None:
    results = tmp_path / "results"
    process = subprocess.Popen(
        command(small[0], "-o", results, "--workers", 2),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    started.append(process)
    assert until(lambda: finished(results) >= 1, process)
    workers = children(process.pid)
    assert len(workers) >= 2
    os.kill(process.pid, how)
    assert process.wait(PATIENCE) == (130 if how == signal.SIGINT else -how)
    deadline = time.monotonic() + PATIENCE
    while any(map(running, workers)):
        assert time.monotonic() < deadline, "workers are left"
        time.sleep(0.01)
