"""Compile different networks at once on one cold cache: all of them run, and the cache is whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.faults.user import compilation, kgenn, made, outcome, scratches, start
from kgenn.files.checksums import sha256_of

CONVERTERS = ("data-norm", "burst", "few-spike", "ttfs", "calibrated", "spike-norm", "none")


def parallel(folder: Path, number: int) -> dict[str, Any]:
    """Compile so many networks at once, each method in turn and each twice at the same time, and verify each."""
    cache = made(folder) / "cache"
    outputs = [folder / f"{n}" for n in range(number)]
    processes = [
        start(*compilation(output, 8, CONVERTERS[n // 2 % len(CONVERTERS)]), cache=cache)
        for n, output in enumerate(outputs)
    ]
    failed = [done.err for done in map(outcome, processes) if done.code != 0]
    verified = [kgenn("verify", output, cache=cache) for output in outputs]
    failed += [done.err for done in verified if done.code != 0]
    torn = [path.name for path in cache.iterdir() if path.is_file() and not whole(path)]
    left = scratches(folder)
    counts = {"tried": number, "networks": len({n // 2 % len(CONVERTERS) for n in range(number)})}
    return {**counts, "lost": len(failed) + len(torn) + len(left), "failed": failed, "torn": torn, "left": left}


def whole(path: Path) -> bool:
    """Tell whether a file of the cache is what its name says."""
    return sha256_of(path).startswith(path.stem.rpartition("-")[2])
