"""Move what was written into its place, so that a crash or a power cut leaves the old or the new, whole.

Every writer of kgenn makes its files in a scratch directory (see `kgenn.files.scratch`) and moves them with
`replace` or `put`. Both flush the content to the disk before the rename, and the directory that holds the name
after it: a file system may otherwise write the name first, and keep an empty file under it.
"""

from __future__ import annotations

import ctypes
import errno
import os
from contextlib import suppress
from pathlib import Path

# Of Linux' renameat2: paths are relative to the working directory; the two change places in one step.
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
# How often a directory is put in its place while other processes do the same.
_TRIES = 100
# What a file system answers that cannot flush such a file, as some do for directories.
_UNSUPPORTED = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF)


def sync(path: Path) -> None:
    """Flush a file, or the names that a directory holds, to the disk.

    Raises:
        OSError: where the content cannot be written: only now may the system tell that the disk is full.
    """
    if os.name != "posix":
        return
    import fcntl

    descriptor = os.open(path, os.O_RDONLY)
    try:
        whole = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: past the disk's own cache
        if whole is not None:
            with suppress(OSError):
                fcntl.fcntl(descriptor, whole)
                return
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(descriptor)


def sync_tree(directory: Path) -> None:
    """Flush a directory with all that it holds.

    Raises:
        OSError: where something of it cannot be written.
    """
    for folder, _, names in os.walk(directory):
        for name in names:
            sync(Path(folder, name))
        sync(Path(folder))


def replace(fresh: Path, place: Path) -> None:
    """Move a file to its place; what is there before it is whole until the new one is there, whole.

    Raises:
        OSError: where it cannot be moved; what was there is there still.
    """
    sync(fresh)
    os.replace(fresh, place)
    sync(place.parent)


def put(fresh: Path, place: Path, aside: Path) -> None:
    """Move a directory to its place; what is there before it is whole until the new one is there, whole.

    Args:
        fresh: the directory.
        place: where it shall be; another directory may be there.
        aside: a path of the same file system, to which the other one may go for a moment.

    Raises:
        OSError: where it cannot be moved; what was there is there still.
    """
    sync_tree(fresh)
    _move(fresh, place, aside)
    sync(place.parent)


def _move(fresh: Path, place: Path, aside: Path) -> None:
    for _ in range(_TRIES):
        try:
            os.rename(fresh, place)  # where nothing is there, or an empty directory
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        with suppress(FileNotFoundError):  # another process takes it away: try again
            if not exchange(fresh, place):
                _replace(fresh, place, aside)
            return
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(place))


def exchange(one: Path, two: Path) -> bool:
    """Let two paths change places in one step; return False where system or file system cannot.

    Raises:
        OSError: where one is missing, or may not be moved.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "renameat2"):
        return False
    paths = os.fsencode(one), os.fsencode(two)
    if library.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(number, os.strerror(number), str(two))


def _replace(fresh: Path, place: Path, aside: Path) -> None:
    """Move one directory away and another to its place, and the first one back where that fails."""
    os.rename(place, aside)
    try:
        os.rename(fresh, place)
    except OSError:
        os.rename(aside, place)
        raise
