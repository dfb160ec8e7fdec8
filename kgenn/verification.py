"""Verify an output directory: its files are those that were written, and its samples fire as they should."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from kgenn.artifact import DAMAGE, MANIFEST, NETWORK, is_output, read_directory
from kgenn.backends import TARGETS
from kgenn.backends.base import Backend, RunOptions
from kgenn.checksums import SUMS, differences, read_sums
from kgenn.diagnostics import Diagnostic, KgennError, fail
from kgenn.ir.network import Network
from kgenn.scratch import SUFFIX
from kgenn.self_test import SELF_TEST, SelfTest, departures, read_self_test

ADVICE = "compile the model again, unless the change is meant"


# Without these nobody knows what the samples shall give.
CORE = frozenset({MANIFEST, NETWORK, SELF_TEST})


@dataclass(frozen=True)
class Verification:
    """What verifying a directory found.

    Attributes:
        directory: as it was given.
        problems: everything that is wrong, in the order of files, then of populations.
        files: how many were compared with their checksums.
        target: of the directory; empty where its manifest is damaged.
        samples, timesteps: how many were run and compared with the NumPy reference; 0 where damage forbids it.
        spikes: how many the reference fires in them.
    """

    directory: str
    problems: tuple[Diagnostic, ...] = ()
    files: int = 0
    target: str = ""
    samples: int = 0
    timesteps: int = 0
    spikes: int = 0

    @property
    def sound(self) -> bool:
        """Tell whether nothing is wrong."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Return what `kgenn verify --json` prints."""
        return {"sound": self.sound, **asdict(self)}


def verify(directory: str | os.PathLike[str], options: RunOptions | None = None) -> Verification:
    """Compare an output directory with what was written, and run its samples on its target.

    A file that was changed, removed or added is a problem. What running the directory adds is none: a built
    library, which has a checksum of its own, or GeNN's build. The samples are run as long as all that says what
    they shall give is whole. Sources that were changed run too: whether they still give the same spikes is told.

    Args:
        options: threads, the interpreter that has pygenn, and the like.

    Raises:
        KgennError: KG605 where the directory is none of kgenn's, KG641 where it has no checksums or no samples.
    """
    place = Path(directory)
    try:
        expected = _expected(place)
    except ValueError as error:
        return Verification(str(directory), (Diagnostic("KG640", str(place / SUMS), str(error), ADVICE),))
    found = dict(differences(place, expected))
    if found.keys() & CORE:
        return Verification(str(directory), _changes(place, found), len(expected))
    artifact = read_directory(place)
    backend = TARGETS.get(artifact.target)()
    found = {name: what for name, what in found.items() if not _is_left(name, (*backend.leaves, f".*{SUFFIX}"))}
    found |= backend.damaged(place)
    whole = Verification(str(directory), _changes(place, found), len(expected), artifact.target)
    if not _runs(place, expected, backend):
        return whole
    test = _self_test(place, artifact.network)
    try:
        simulator = backend.load(artifact.network, place, options or RunOptions())
        wrong = list(departures(artifact.network, simulator, test))
    except KgennError as error:
        return replace(whole, problems=whole.problems + error.diagnostics)
    advice = "perhaps the changed files are why" if found else "try another compiler or machine, and report it"
    problems = (Diagnostic("KG642", str(place), what, advice) for what in wrong)
    return replace(
        whole,
        problems=(*whole.problems, *problems),
        samples=len(test.drive),
        timesteps=test.num_timesteps,
        spikes=int(test.spikes.sum()),
    )


def _expected(directory: Path) -> dict[str, str]:
    """Return the checksums of a directory.

    Raises:
        ValueError: where they are damaged.
    """
    path, advice = directory / SUMS, "compile the model again with this version of kgenn"
    if not path.is_file():
        if not is_output(directory):
            what = f"has no {MANIFEST}, {NETWORK} and {SUMS}"
            raise fail("KG605", str(directory), what, "give the output directory of kgenn compile")
        raise fail("KG641", str(directory), f"has no {SUMS}", advice)
    try:
        expected = read_sums(path.read_bytes())
    except OSError as error:
        raise fail("KG605", str(path), f"cannot be read: {error.strerror or error}") from error
    if not expected.keys() >= CORE:
        raise fail("KG641", str(directory), "has no samples to run", advice)
    return expected


def _changes(directory: Path, found: Mapping[str, str]) -> tuple[Diagnostic, ...]:
    return tuple(Diagnostic("KG640", str(directory / name), what, ADVICE) for name, what in found.items())


def _is_left(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _runs(directory: Path, expected: Iterable[str], backend: Backend) -> bool:
    """Tell whether all files are there, and no library is damaged, which could end this process."""
    return all((directory / name).is_file() for name in expected) and not backend.damaged(directory)


def _self_test(directory: Path, network: Network) -> SelfTest:
    try:
        return read_self_test(directory / SELF_TEST, network)
    except DAMAGE as error:
        what = f"is damaged: {error}"
        raise fail("KG605", str(directory / SELF_TEST), what, "compile the model again") from error
