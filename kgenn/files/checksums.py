"""Checksums of a directory, in the format of sha256sum: `sha256sum --check SHA256SUMS` reads them too."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

SUMS = "SHA256SUMS"
MISSING = "is missing"
# Keeps what kgenn makes out of git; whoever wants it there deletes the file, and so it has no checksum.
IGNORE = ".gitignore"
IGNORE_ALL = b"# Written by kgenn. Delete this file to keep the directory in git.\n*\n"
# The only form that is written, so that a file of sums in which a byte is changed is not read as another one.
_SUMS = re.compile(rb"(?:[0-9a-f]{64}  (?!/)[A-Za-z0-9_./-]+\n)+")


def sums(files: Mapping[str, bytes]) -> bytes:
    """Return the checksums of files by name, in the order of their names."""
    lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return "".join(lines).encode()


def read_sums(content: bytes) -> dict[str, str]:
    """Return the SHA-256 of each file, in hexadecimal digits.

    Raises:
        ValueError: where the content is none that `sums` gives.
    """
    if not _SUMS.fullmatch(content):
        raise ValueError("is damaged")
    pairs = [(line[66:], line[:64]) for line in content.decode().splitlines()]
    names = [name for name, _ in pairs]
    if names != sorted(set(names)) or any(".." in name.split("/") for name in names):
        raise ValueError("is damaged")
    return dict(pairs)


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def differences(directory: Path, expected: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the name of each file of a directory that is not as expected, and what is wrong with it.

    Args:
        expected: the SHA-256 of each file by name.
    """
    for name, digest in expected.items():
        problem = _problem(directory / name, digest)
        if problem:
            yield name, problem
    folders = {str(parent) for name in expected for parent in Path(name).parents}
    yield from ((name, "was added") for name in _others(directory, "", {*expected, SUMS, IGNORE}, folders))


def unaccounted(directory: Path, patterns: Collection[str]) -> Iterator[str]:
    """Yield the name of each file of a directory that its sums do not vouch for: added, or changed since.

    Where the sums are missing or damaged, that is each file. An empty folder counts as one, and so does a link.

    Args:
        patterns: of names, with forward slashes, that are accounted for without a sum.
    """
    try:
        expected = read_sums((directory / SUMS).read_bytes())
        own = {SUMS, *expected}
    except (OSError, ValueError):
        expected, own = {}, set()
    if (directory / IGNORE).is_file() and (directory / IGNORE).read_bytes() == IGNORE_ALL:
        own.add(IGNORE)
    for name in _names(directory):
        if not any(fnmatchcase(name, pattern) for pattern in patterns) and (
            name not in own
            or (name in expected and _problem(directory / name, expected[name]) not in ("", MISSING))
        ):
            yield name


def _names(directory: Path) -> Iterator[str]:
    """Yield the files, the links and the empty folders below a directory, in order."""
    for path in sorted(directory.iterdir()):
        if path.is_symlink() or not path.is_dir():
            yield path.name
            continue
        inside = [f"{path.name}/{name}" for name in _names(path)]
        yield from inside or [path.name]


def _problem(path: Path, digest: str) -> str:
    if not path.is_file():
        return "is not a file any more" if path.exists() else MISSING
    try:
        return "" if sha256_of(path) == digest else "has changed"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"


def _others(directory: Path, prefix: str, known: Collection[str], folders: Collection[str]) -> Iterator[str]:
    """Yield the names that are not known, a folder that has nothing known as a whole."""
    for path in sorted(directory.iterdir()):
        name = prefix + path.name
        if name in folders and path.is_dir():
            yield from _others(path, f"{name}/", known, folders)
        elif name not in known:
            yield name
