"""The build cache: what compilers made, each file under a name that holds its checksum."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

from kgenn.files.checksums import sha256_of
from kgenn.files.durable import replace

# Hexadecimal digits of a SHA-256 that a name holds.
DIGITS = 32


def cache_directory() -> Path:
    """Return where compiled programs are kept: $KGENN_CACHE, or the user's cache directory."""
    chosen = os.environ.get("KGENN_CACHE")
    return Path(chosen) if chosen else user_cache_path("kgenn")


def key(program: str, compiler: str) -> str:
    """Return the name of what a compiler makes of a program."""
    return hashlib.sha256(f"{program} {compiler}".encode()).hexdigest()[:DIGITS]


def find(key: str, suffix: str) -> Path | None:
    """Return the file that is kept under a key; None where there is none, or none that is whole.

    What was cut off or changed is removed, so that it is made again.
    """
    for path in sorted(cache_directory().glob(f"{key}-*{suffix}")):
        with suppress(OSError):
            if sha256_of(path)[:DIGITS] == path.stem.rpartition("-")[2]:
                return path
        discard(path)
    return None


def keep(key: str, fresh: Path) -> Path:
    """Move a file into the cache and return its place.

    Raises:
        OSError: where the cache cannot be written.
    """
    place = cache_directory() / f"{key}-{sha256_of(fresh)[:DIGITS]}{fresh.suffix}"
    replace(fresh, place)
    return place


def discard(path: Path) -> None:
    """Remove a file from the cache, where the system lets kgenn."""
    with suppress(OSError):
        path.unlink()
