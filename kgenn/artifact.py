"""Output directories: everything that a run needs, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from kgenn import __version__
from kgenn.backends.base import Program
from kgenn.checksums import SUMS, sums
from kgenn.diagnostics import KgennError, fail
from kgenn.ir.archive import arrays
from kgenn.ir.network import Network
from kgenn.ir.serialise import from_plain, npz_bytes, to_plain
from kgenn.ir.validate import check_network
from kgenn.record import check_record
from kgenn.scratch import put, scratch, writable
from kgenn.self_test import SELF_TEST, SelfTest
from kgenn.strict_json import loads

MANIFEST = "manifest.json"
NETWORK = "network.npz"
# Raised when a directory written before can no longer be read, or its program no longer be run.
SCHEMA = 3
# What reading a file that was cut off or changed can raise.
DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    AssertionError,
    NotImplementedError,
    OverflowError,
    RecursionError,
    SyntaxError,
)


@dataclass(frozen=True, eq=False)
class Artifact:
    """A compiled network.

    Attributes:
        network: ready to run, with its origin.
        target: a name of `kgenn.backends.TARGETS`.
    """

    network: Network
    target: str

    def files(self, program: Program, test: SelfTest | None = None) -> dict[str, bytes]:
        """Return the directory's contents.

        Args:
            program: of the target.
            test: what `kgenn verify` runs.
        """
        plain, arrays = to_plain(self.network)
        manifest = {
            "schema": SCHEMA,
            "kgenn": __version__,
            "target": self.target,
            **self.network.origin,
            "network": plain,
        }
        text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=True) + "\n"
        files = {MANIFEST: text.encode(), NETWORK: npz_bytes(arrays), **program.files}
        if test is not None:
            files[SELF_TEST] = test.to_bytes()
        return {**files, SUMS: sums(files)}


def write_directory(
    directory: Path,
    files: Mapping[str, bytes],
    is_older: Callable[[Path], bool] | None = None,
    command: str = "kgenn compile",
) -> None:
    """Write a directory under a temporary name and rename it; replace an older output of the same command.

    Whoever reads it, or kills this process, finds the older one or this one whole. Where several processes write
    one directory, the last one counts.

    Args:
        directory: to write; a symbolic link is followed.
        files: by name.
        is_older: tells whether a directory is an older output; by default of kgenn compile.
        command: that writes it, for messages.

    Raises:
        KgennError: KG606 where it cannot be written, or holds something else.
    """
    refuse_directory(directory, is_older, command)
    try:
        place = Path(os.path.realpath(directory))
        place.parent.mkdir(parents=True, exist_ok=True)
        with scratch(place) as aside:
            fresh = aside / "new"
            fresh.mkdir()
            for name, content in files.items():
                (fresh / name).parent.mkdir(parents=True, exist_ok=True)
                (fresh / name).write_bytes(content)
            put(fresh, place, aside / "old")
    except OSError as error:
        raise unwritable(directory, error) from error


def refuse_directory(
    directory: Path, is_older: Callable[[Path], bool] | None = None, command: str = "kgenn compile"
) -> None:
    """Refuse a directory that `write_directory`, with the same arguments, does not write.

    Raises:
        KgennError: KG606 where it holds something else, or cannot be written.
    """
    try:
        empty = directory.is_dir() and not any(directory.iterdir())
        if directory.exists() and not empty and not (directory.is_dir() and (is_older or is_output)(directory)):
            what = f"exists and is not an output of {command}"
            raise fail("KG606", str(directory), what, "give another directory, or remove this one")
        writable(Path(os.path.realpath(directory)))
    except OSError as error:
        raise unwritable(directory, error) from error


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
                os.replace(fresh, place)
    except OSError as error:
        raise unwritable(path, error) from error


def refuse_file(path: Path) -> None:
    """Refuse a path that is there already and is no file: a directory, a device, a pipe.

    Raises:
        KgennError: KG606.
    """
    if path.exists() and not path.is_file():
        what = "is a directory" if path.is_dir() else "is no regular file"
        raise fail("KG606", str(path), what, "give the name of a file")


def unwritable(path: Path, error: OSError) -> KgennError:
    """Return the diagnostic of a path that the system does not let kgenn write."""
    return fail("KG606", str(path), f"cannot be written: {error.strerror or error}")


def is_output(directory: Path) -> bool:
    """Tell whether a directory was written by kgenn compile."""
    return (directory / MANIFEST).is_file() and (directory / NETWORK).is_file()


def read_directory(directory: Path) -> Artifact:
    """Read what `write_directory` wrote.

    Raises:
        KgennError: KG605 where it is no output of kgenn, or of another version's schema.
    """
    if not is_output(directory):
        what = f"has no {MANIFEST} and {NETWORK}"
        raise fail("KG605", str(directory), what, "give the output directory of kgenn compile")
    try:
        text = (directory / MANIFEST).read_text()
        manifest = loads(text)
        check_record(manifest)
        with arrays(directory / NETWORK) as archive:
            stored = dict(archive)
        if manifest["schema"] != SCHEMA:
            what = f"has schema {manifest['schema']}, this kgenn reads {SCHEMA}"
            raise fail("KG605", str(directory), what, "compile the model again")
        network = check_network(from_plain(manifest["network"], stored))
        origin = {k: v for k, v in manifest.items() if k not in ("schema", "kgenn", "target", "network")}
        return Artifact(replace(network, origin=origin), manifest["target"])
    except DAMAGE as error:
        raise fail("KG605", str(directory), f"is damaged: {error}", "compile the model again") from error
