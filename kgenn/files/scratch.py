"""Scratch directories: what is to be written is made in one beside its place, and moved when it is whole
(see `kgenn.files.durable`).

A process that is killed cannot remove its own; the next one that writes the same thing does. Each process holds a
lock on its scratch directory, which the system gives back however the process ends, so that a directory that can
be locked has no owner. Where a file system knows no locks, nothing is taken for abandoned.

An interrupt may come between any two instructions. So a directory's name is noted before it is made, and what is
noted still when the process ends is removed then.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

# Ends the names of scratch directories, which begin with a dot and the name of what is written.
SUFFIX = ".kgenn-scratch"
# Bytes of a target's name in them: file systems take names of 255.
LONGEST = 200

# The scratch directories of this process that are not removed yet, with the process: a fork has none of its own.
_noted: set[tuple[int, Path]] = set()


@contextmanager
def scratch(target: Path) -> Iterator[Path]:
    """Make a directory beside what is to be written, and remove it with the block.

    What killed processes left there, writing the same, is removed too.

    Raises:
        OSError: where it cannot be made.
    """
    sweep(target)
    with ExitStack() as stack:
        yield _locked(target, stack)


def sweep(target: Path) -> None:
    """Remove the scratch directories beside a target whose processes are gone."""
    with suppress(OSError):
        for path in list(target.parent.iterdir()):
            if path.name.startswith(_prefix(target)) and path.name.endswith(SUFFIX):
                lock = _lock(path, wait=False)
                if lock is not None:
                    shutil.rmtree(path, ignore_errors=True)
                    os.close(lock)


def writable(path: Path) -> None:
    """Try whether a file or directory can be made, and leave no trace of it.

    Raises:
        OSError: where it cannot.
    """
    place = path.parent
    while not place.exists() and place != place.parent:
        place = place.parent
    with scratch(place / path.name):
        pass


def _prefix(target: Path) -> str:
    """Return how the names of a target's scratch directories begin: with its own, as far as there is room."""
    name = target.name
    if len(os.fsencode(name)) > LONGEST:
        name = f"{name[:20]}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}"
    return f".{name}-"


def _locked(target: Path, stack: ExitStack) -> Path:
    """Make a scratch directory and lock it; the stack removes it and gives the lock back."""
    while True:
        path = target.parent / f"{_prefix(target)}{secrets.token_hex()}{SUFFIX}"
        _noted.add((os.getpid(), path))
        stack.callback(_remove, path)
        path.mkdir(mode=0o700)
        lock = _lock(path, wait=True)
        if lock is not None:
            stack.callback(os.close, lock)
        if path.is_dir():
            return path
        # another process found it before it was locked, and removed it


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    _noted.discard((os.getpid(), path))


@atexit.register
def remove_scratch() -> None:
    """Remove the scratch directories of this process that are left."""
    for process, path in list(_noted):
        if process == os.getpid():
            _remove(path)


def _lock(path: Path, wait: bool) -> int | None:
    """Return the descriptor of a directory after locking it; None where another process has it, or none can."""
    if os.name != "posix":
        return None
    import fcntl

    try:
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(directory)
        return None
    return directory
