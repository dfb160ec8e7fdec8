"""Output directories of `kgenn compile`: everything that a run needs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kgenn import __version__
from kgenn.artifact.manifest import check_manifest
from kgenn.artifact.self_test import SELF_TEST, SelfTest
from kgenn.backends import TARGETS
from kgenn.backends.base import Program, RunOptions, Simulator
from kgenn.diagnostics import Diagnostic, KgennError, fail
from kgenn.files.checksums import SUMS, differences, read_sums, sums
from kgenn.files.output import OutputKind, write_directory
from kgenn.files.strict_json import loads
from kgenn.ir.archive import arrays
from kgenn.ir.network import Network
from kgenn.ir.serialise import from_plain, npz_bytes, to_plain
from kgenn.ir.validate import check_network

MANIFEST = "manifest.json"
NETWORK = "network.npz"
# Raised when a directory written before can no longer be read, or its program no longer be run.
SCHEMA = 5
# Schemas that are read: 3 had networks of one input and one output, 4 inputs that hold for a whole sample.
READ = (3, 4, SCHEMA)
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
        text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"
        files = {MANIFEST: text.encode(), NETWORK: npz_bytes(arrays), **program.files}
        if test is not None:
            files[SELF_TEST] = test.to_bytes()
        return {**files, SUMS: sums(files)}


def is_output(directory: Path) -> bool:
    """Tell whether a directory was written by kgenn compile."""
    return (directory / MANIFEST).is_file() and (directory / NETWORK).is_file()


def leaves(directory: Path) -> Sequence[str]:
    """Return patterns of what building and running adds to an output directory, by its target."""
    try:
        return TARGETS.get(loads((directory / MANIFEST).read_text())["target"]).leaves
    except (*DAMAGE, KgennError):
        return ()


COMPILED = OutputKind("kgenn compile", is_output, leaves, ignored=True)


def write_artifact(directory: Path, files: Mapping[str, bytes], overwrite: bool = False) -> None:
    """Write an output directory of kgenn compile; see `kgenn.files.output.write_directory`."""
    write_directory(directory, files, COMPILED, overwrite)


def written_sums(directory: Path) -> dict[str, str]:
    """Return the checksums that kgenn wrote into an output directory.

    Raises:
        KgennError: KG605 where it is no output, KG640 where they are damaged, KG641 where it has none.
    """
    path = directory / SUMS
    if not path.is_file():
        _refuse_other(directory)
        advice = "compile the model again with this version of kgenn"
        raise fail("KG641", str(directory), f"has no {SUMS}", advice)
    try:
        return read_sums(path.read_bytes())
    except OSError as error:
        raise fail("KG605", str(path), f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise fail("KG640", str(path), str(error), "compile the model again") from error


def refuse_changes(directory: Path) -> None:
    """Refuse an output directory whose files are not those that were written; others beside them are not read.

    Raises:
        KgennError: KG640 for every file that was changed or removed, and as `written_sums`.
    """
    expected = written_sums(directory)
    advice = "compile the model again, or pass --edited to run the directory as it is"
    found = [
        Diagnostic("KG640", str(directory / name), what, advice)
        for name, what in differences(directory, expected)
        if name in expected
    ]
    if found:
        raise KgennError(found)


def _refuse_other(directory: Path) -> None:
    if not is_output(directory):
        what = f"has no {MANIFEST} and {NETWORK}"
        raise fail("KG605", str(directory), what, "give the output directory of kgenn compile")


def read_unchanged(directory: Path, options: RunOptions) -> Artifact:
    """Read an output directory whose files are those that were written, or any if the options say so.

    Raises:
        KgennError: as `refuse_changes` and `read_directory`.
    """
    if not options.edited:
        refuse_changes(directory)
    return read_directory(directory)


def load_simulator(directory: Path, artifact: Artifact, target: str, options: RunOptions) -> Simulator:
    """Make the network of an output directory ready to run, with its own program where that is for the target."""
    built = directory if target == artifact.target else None
    return TARGETS.get(target)().load(artifact.network, built, options)


def read_directory(directory: Path) -> Artifact:
    """Read what `write_artifact` wrote; nothing of it is run.

    Raises:
        KgennError: KG605 where it is no output of kgenn, or of another version's schema.
    """
    _refuse_other(directory)
    try:
        text = (directory / MANIFEST).read_text()
        manifest = loads(text)
        check_manifest(manifest)
        with arrays(directory / NETWORK) as archive:
            stored = dict(archive)
        if manifest["schema"] not in READ:
            what = f"has schema {manifest['schema']}, this kgenn reads {', '.join(map(str, READ))}"
            raise fail("KG605", str(directory), what, "compile the model again")
        network = check_network(from_plain(manifest["network"], stored))
        origin = {k: v for k, v in manifest.items() if k not in ("schema", "kgenn", "target", "network")}
        return Artifact(replace(network, origin=origin), manifest["target"])
    except DAMAGE as error:
        raise fail("KG605", str(directory), f"is damaged: {error}", "compile the model again") from error
