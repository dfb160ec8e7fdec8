"""The library that a build leaves in an output directory, so that it runs there without a compiler."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from kgenn.files.checksums import read_sums, sha256_of, sums
from kgenn.files.durable import replace
from kgenn.files.scratch import scratch

LIBRARY = "libkgenn_network-{}.so"
# Beside a library, its checksum.
SUM = ".sha256"
LEAVES = tuple(LIBRARY.format("[0-9a-f]" * 16) + suffix for suffix in ("", SUM))


def leave(library: Path, target: Path) -> None:
    """Copy a library into an output directory, in place of those of older sources, with its checksum."""
    with scratch(target.with_name("library")) as place:
        copy, checksum = Path(shutil.copy(library, place)), place / "sum"
        checksum.write_bytes(sums({target.name: copy.read_bytes()}))
        for old in (path for pattern in LEAVES for path in target.parent.glob(pattern)):
            if not old.name.startswith(target.name):  # which another process may have left, and opened, already
                old.unlink(missing_ok=True)
        replace(checksum, target.with_name(target.name + SUM))
        replace(copy, target)


def damaged(directory: Path) -> Iterator[tuple[str, str]]:
    """Yield the name of each library of an output directory that is not what was left, and what is wrong."""
    yield from filter(None, map(problem_of, sorted(directory.glob(LEAVES[0]))))


def problem_of(library: Path) -> tuple[str, str] | None:
    """Return what is wrong with a library that was left in an output directory: a file's name, and what."""
    path = library.with_name(library.name + SUM)
    try:
        whole = read_sums(path.read_bytes()) == {library.name: sha256_of(library)}
        return None if whole else (library.name, "is not what was built")
    except FileNotFoundError:
        return library.name, f"has no checksum {path.name}" if library.exists() else "is missing"
    except OSError as error:
        return path.name, f"cannot be read: {error.strerror or error}"
    except ValueError as error:
        return path.name, str(error)
