"""Disks that are full or read-only: one diagnostic, and what was there before is there still."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.faults.kills import sound
from benchmarks.faults.user import IMAGES, NOBODY, Outcome, compilation, kgenn, made, scratches

# Kilobytes that an output directory with its library, or a cache, needs at most.
ENOUGH = 4096


@contextmanager
def disk(place: Path, kilobytes: int) -> Iterator[None]:
    """Mount a disk of a size."""
    place.mkdir(parents=True, exist_ok=True)
    options = f"size={kilobytes}k,uid={NOBODY},gid={NOBODY},mode=755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "kgenn-faults", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)


def full_disks(folder: Path, number: int) -> dict[str, Any]:
    """Compile to disks that are too small by more and more, and with a cache on such disks."""
    sizes = [ENOUGH * (n + 1) // (number + 1) for n in range(number)]
    made(folder)
    ends = [end for size in sizes for end in (_output_on(folder, size), _cache_on(folder, size))]
    return {"kind": "tmpfs" if os.geteuid() == 0 else "RLIMIT_FSIZE", **_counted(ends)}


def _limits(kilobytes: int) -> str:
    if os.geteuid() == 0:
        return ""
    return f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({kilobytes * 64},) * 2)"


@contextmanager
def _small(place: Path, kilobytes: int) -> Iterator[None]:
    if os.geteuid() == 0:
        with disk(place, kilobytes):
            yield
    else:
        place.mkdir(parents=True, exist_ok=True)
        yield


def _output_on(folder: Path, kilobytes: int) -> tuple[Outcome, bool]:
    """Compile to a small disk, a warm cache elsewhere, over an older output as far as there is room for one."""
    place, cache = folder / "disk", folder / "warm"
    with _small(place, kilobytes):
        older = kgenn(*compilation(place / "out", 8), cache=cache).code == 0
        done = kgenn(*compilation(place / "out", 9), cache=cache, prefix=_limits(kilobytes))
        if done.code == 0:
            kept = kgenn("verify", place / "out", cache=cache).code == 0
        else:
            kept = sound(place / "out") if older else not (place / "out").exists()
        return done, kept and not scratches(place)


def _cache_on(folder: Path, kilobytes: int) -> tuple[Outcome, bool]:
    """Compile with a cold cache on a small disk; the output, elsewhere, needs no library to be whole."""
    place, output = folder / "disk", made(folder / "elsewhere") / "out"
    with _small(place, kilobytes):
        done = kgenn(*compilation(output), cache=place / "cache", prefix=_limits(kilobytes))
        return done, sound(output) and not scratches(place)


def read_only_disks(folder: Path) -> dict[str, Any]:
    """Compile to, and run from, what an ordinary user may not write: an output, a cache, a compiled directory."""
    place, cache = made(folder) / "disk", folder / "cache"
    older = kgenn(*compilation(folder / "out"), cache=cache)
    assert older.code == 0, older.err
    with _unwritable(place, folder / "out"):
        ends = []
        for arguments, where in (
            (compilation(place / "new"), cache),
            (compilation(place / "out", 9), cache),
            (compilation(folder / "other"), place / "cache"),
        ):
            done = kgenn(*arguments, cache=where) if where == cache else _with_cache(where, folder, arguments)
            ends.append((done, done.told and sound(place / "out")))
        run = kgenn("run", place / "out", "--data", IMAGES, "--limit", 20, cache=cache)
        verified = kgenn("verify", place / "out", cache=cache)
        ends += [(run, run.code == 0), (verified, verified.code == 0)]
    return {"kind": "mount -o ro" if os.geteuid() == 0 else "chmod", **_counted(ends)}


def _with_cache(cache: Path, folder: Path, arguments: tuple[object, ...]) -> Outcome:
    prefix = f"import os; os.environ['KGENN_CACHE'] = {str(cache)!r}"
    return kgenn(*arguments, cache=folder / "unused", prefix=prefix)


@contextmanager
def _unwritable(place: Path, output: Path) -> Iterator[None]:
    """Make a folder that holds a copy of an output, which nobody can write."""
    if os.geteuid() == 0:
        with disk(place, 4 * ENOUGH):
            subprocess.run(["cp", "-a", output, place / "out"], check=True)
            subprocess.run(["mount", "-o", "remount,ro", place], check=True)
            yield
        return
    place.mkdir(parents=True)
    subprocess.run(["cp", "-a", output, place / "out"], check=True)
    subprocess.run(["chmod", "-R", "a-w", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["chmod", "-R", "u+w", place], check=True)


def _counted(ends: list[tuple[Outcome, bool]]) -> dict[str, Any]:
    odd = [done.err[:300] for done, kept in ends if not kept or not (done.code == 0 or done.told)]
    succeeded = sum(done.code == 0 for done, _ in ends)
    return {
        "tried": len(ends),
        "succeeded": succeeded,
        "told": len(ends) - succeeded,
        "lost": len(odd),
        "odd": odd,
    }
