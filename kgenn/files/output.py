"""Write files and directories for the user: whole or not at all, and never over what kgenn did not write."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from kgenn.diagnostics import KgennError, fail
from kgenn.files.checksums import IGNORE, IGNORE_ALL, unaccounted
from kgenn.files.durable import put, replace
from kgenn.files.scratch import SUFFIX, scratch, writable

# Names that a message lists; of more, it tells the number.
MAX_NAMES = 8
# How often a directory is looked at, while other processes replace it.
_TRIES = 100


@dataclass(frozen=True)
class OutputKind:
    """What a command writes into a directory of its own.

    Attributes:
        command: the command, for messages.
        is_older: tells whether a directory is an earlier output of the command.
        leaves: returns patterns of what kgenn adds to such a directory later, such as a built library.
        ignored: git is to leave it out, since a command makes it again.
    """

    command: str
    is_older: Callable[[Path], bool]
    leaves: Callable[[Path], Sequence[str]] = lambda directory: ()
    ignored: bool = False


def write_directory(
    directory: Path, files: Mapping[str, bytes], kind: OutputKind, overwrite: bool = False
) -> None:
    """Write a directory under a temporary name and rename it; replace an older output of the same command.

    Whoever reads it, or kills this process, finds the older one or this one whole. Where several processes write
    one directory, the last one counts.

    Args:
        directory: to write; a symbolic link is followed.
        files: by name, their checksums among them: a later call knows by these what it may remove.
        kind: of the output.
        overwrite: remove what kgenn did not write, too.

    Raises:
        KgennError: KG606 where it cannot be written, or holds something else.
    """
    refuse_directory(directory, kind, overwrite)
    try:
        place = Path(os.path.realpath(directory))
        place.parent.mkdir(parents=True, exist_ok=True)
        with scratch(place) as aside:
            fresh = aside / "new"
            fresh.mkdir()
            if kind.ignored:
                (fresh / IGNORE).write_bytes(IGNORE_ALL)
            for name, content in files.items():
                (fresh / name).parent.mkdir(parents=True, exist_ok=True)
                (fresh / name).write_bytes(content)
            _refuse_content(directory, kind, overwrite)  # what came while the files were written
            put(fresh, place, aside / "old")
    except OSError as error:
        raise unwritable(directory, error) from error


def refuse_directory(directory: Path, kind: OutputKind, overwrite: bool = False) -> None:
    """Refuse a directory that `write_directory`, with the same arguments, does not write.

    Raises:
        KgennError: KG606 where it holds something else, or cannot be written.
    """
    try:
        _refuse_content(directory, kind, overwrite)
        writable(Path(os.path.realpath(directory)))
    except OSError as error:
        raise unwritable(directory, error) from error


def _refuse_content(directory: Path, kind: OutputKind, overwrite: bool) -> None:
    if not directory.exists() or (directory.is_dir() and not any(directory.iterdir())):
        return
    if not directory.is_dir() or not kind.is_older(directory):
        what = f"exists and is not an output of {kind.command}"
        raise fail("KG606", str(directory), what, "give another directory, or remove this one")
    names = [] if overwrite else _foreign(directory, kind)
    if names:
        more = f" and {len(names) - MAX_NAMES:,} more" if len(names) > MAX_NAMES else ""
        what = f"holds what kgenn did not write, or what was changed since: {', '.join(names[:MAX_NAMES])}{more}"
        advice = "give another directory, move these files away, or pass --overwrite to delete them"
        raise fail("KG606", str(directory), what, advice)


def _foreign(directory: Path, kind: OutputKind) -> list[str]:
    """Return the names of what was not written by kgenn, looking again where another process replaced it all."""
    names: list[str] = []
    for _ in range(_TRIES):
        try:
            before = _state(directory)
            names = list(unaccounted(directory, (*kind.leaves(directory), f".*{SUFFIX}*")))
            if not names or _state(directory) == before:
                return names
        except FileNotFoundError:
            if not directory.exists():
                return []
    return names


def _state(directory: Path) -> tuple[int, ...]:
    found = directory.stat()
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def write_file(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it.

    Raises:
        KgennError: KG606 where it cannot be written.
    """
    write_files(path, {path.name: content})


def write_files(path: Path, files: Mapping[str, bytes]) -> None:
    """Write files beside each other: all of them under temporary names, then each is renamed.

    Args:
        path: of one of them, for messages; its directory is made where there is none.
        files: by name; a symbolic link is followed.

    Raises:
        KgennError: KG606 where one cannot be written.
    """
    refuse_file(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            moves = []
            for name, content in files.items():
                place = Path(os.path.realpath(path.parent / name))
                fresh = stack.enter_context(scratch(place)) / "new"
                fresh.write_bytes(content)
                moves.append((fresh, place))
            for fresh, place in moves:
                replace(fresh, place)
    except OSError as error:
        raise unwritable(path, error) from error


def refuse_file(path: Path) -> None:
    """Refuse a path that is there already and is no file, but a directory, a device or a pipe, or is read-only.

    Raises:
        KgennError: KG606.
    """
    if path.exists() and not path.is_file():
        what = "is a directory" if path.is_dir() else "is not a regular file"
        raise fail("KG606", str(path), what, "give the name of a file")
    if path.exists() and not os.access(path, os.W_OK):
        raise fail("KG606", str(path), "is read-only", "give another name, or make it writable")


def unwritable(path: Path, error: OSError) -> KgennError:
    """Return the diagnostic of a path that the system does not let kgenn write."""
    return fail("KG606", str(path), f"cannot be written: {error.strerror or error}")
