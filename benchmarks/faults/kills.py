"""Kill `kgenn compile` at random times: its output is the old one or the new one, and the next run succeeds."""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.faults.user import compilation, kgenn, kill, made, scratches, start
from kgenn.files.checksums import SUMS, differences, read_sums

# Two networks that replace each other, so that there is something old.
LENGTHS = (8, 9)


def kills(folder: Path, number: int, times: random.Random) -> dict[str, Any]:
    """Kill a compilation so often, each at a time of its own, and count what was found after it.

    Every third one gets a cold cache, so that a compiler is at work in it; the others find what those before left.
    After each kill the files are compared with their checksums. Every tenth time the directory is verified, which
    builds and runs it.
    """
    place, cache = made(folder), folder / "cache"
    output = place / "out"
    started = time.monotonic()
    first = kgenn(*compilation(output, LENGTHS[0]), cache=cache)
    assert first.code == 0, first.err
    whole = time.monotonic() - started
    counts: Counter[str] = Counter()
    for turn in range(number):
        if turn % 3 == 0:
            shutil.rmtree(cache, ignore_errors=True)
        before = (output / SUMS).read_bytes()
        process = start(*compilation(output, LENGTHS[(turn + 1) % 2]), cache=cache)
        time.sleep(times.uniform(0, whole))
        counts["ended before"] += process.poll() is not None
        counts["at work in the cache"] += bool(scratches(cache))
        kill(process)
        counts["tried"] += 1
        counts["new"] += (output / SUMS).read_bytes() != before
        counts["lost"] += not sound(output)
        if turn % 10 == 9:
            counts["verified"] += 1
            counts["lost"] += kgenn("verify", output, cache=cache).code != 0
    last = kgenn(*compilation(output, LENGTHS[0]), cache=cache)
    counts["lost"] += last.code != 0 or kgenn("verify", output, cache=cache).code != 0
    counts["lost"] += len(left := scratches(place))
    return {**counts, "seconds of one": round(whole, 1), "scratch directories left": left}


def sound(output: Path) -> bool:
    """Tell whether every file of an output directory is as its checksum says."""
    expected = read_sums((output / SUMS).read_bytes())
    return not [name for name, _ in differences(output, expected) if name in expected]
