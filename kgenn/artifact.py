"""Output directories: everything that a run needs, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kgenn import __version__
from kgenn.backends.base import Program
from kgenn.diagnostics import fail
from kgenn.ir.archive import arrays
from kgenn.ir.network import Network
from kgenn.ir.serialise import from_plain, npz_bytes, to_plain
from kgenn.ir.validate import check_network
from kgenn.record import check_record, finite, refuse_constant

MANIFEST = "manifest.json"
NETWORK = "network.npz"
# Raised when a directory written before can no longer be read.
SCHEMA = 2
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
    """A compiled network with where it came from.

    Attributes:
        network: ready to run.
        target: a name of `kgenn.backends.TARGETS`.
        record: every option it was made with, the model's name and SHA-256, notes, rounding; JSON-able.
    """

    network: Network
    target: str
    record: Mapping[str, Any] = field(default_factory=dict)

    def files(self, program: Program) -> dict[str, bytes]:
        """Return the directory's contents."""
        plain, arrays = to_plain(self.network)
        manifest = {
            "schema": SCHEMA,
            "kgenn": __version__,
            "target": self.target,
            **self.record,
            "network": plain,
        }
        text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=True) + "\n"
        return {MANIFEST: text.encode(), NETWORK: npz_bytes(arrays), **program.files}


def write_directory(
    directory: Path,
    files: Mapping[str, bytes],
    is_older: Callable[[Path], bool] | None = None,
    command: str = "kgenn compile",
) -> None:
    """Write a directory under a temporary name and rename it; replace an older output of the same command.

    Args:
        directory: to write.
        files: by name.
        is_older: tells whether a directory is an older output; by default of kgenn compile.
        command: that writes it, for messages.

    Raises:
        KgennError: KG606 where it cannot be written, or holds something else.
    """
    empty = directory.is_dir() and not any(directory.iterdir())
    if directory.exists() and not empty and not (directory.is_dir() and (is_older or is_output)(directory)):
        what = f"exists and is not an output of {command}"
        raise fail("KG606", str(directory), what, "give another directory, or remove this one")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{directory.name}-", dir=directory.parent) as scratch:
            fresh = Path(scratch) / "new"
            fresh.mkdir()
            for name, content in files.items():
                (fresh / name).parent.mkdir(parents=True, exist_ok=True)
                (fresh / name).write_bytes(content)
            old = Path(scratch) / "old"
            if directory.exists():
                os.replace(directory, old)
            try:
                os.replace(fresh, directory)
            except OSError:
                if old.exists():
                    os.replace(old, directory)
                raise
    except OSError as error:
        raise fail("KG606", str(directory), f"cannot be written: {error.strerror or error}") from error


def write_file(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it.

    Raises:
        KgennError: KG606 where it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        raise fail("KG606", str(path), f"cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


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
        manifest = json.loads(text, parse_constant=refuse_constant, parse_float=finite)
        check_record(manifest)
        with arrays(directory / NETWORK) as archive:
            stored = dict(archive)
        if manifest["schema"] != SCHEMA:
            what = f"has schema {manifest['schema']}, this kgenn reads {SCHEMA}"
            raise fail("KG605", str(directory), what, "compile the model again")
        network = check_network(from_plain(manifest["network"], stored))
        record = {k: v for k, v in manifest.items() if k not in ("schema", "kgenn", "target", "network")}
        return Artifact(network, manifest["target"], record)
    except DAMAGE as error:
        raise fail("KG605", str(directory), f"is damaged: {error}", "compile the model again") from error


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
