"""Verify an output directory: its files are those that were written, and its samples fire as they should."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from kgenn.artifact.directory import DAMAGE, MANIFEST, NETWORK, read_directory, written_sums
from kgenn.artifact.self_test import SELF_TEST, SelfTest, departures, read_self_test
from kgenn.backends import TARGETS
from kgenn.backends.base import Backend, RunOptions, Simulator, run_options
from kgenn.diagnostics import Diagnostic, KgennError, fail
from kgenn.files.checksums import differences
from kgenn.files.scratch import SUFFIX
from kgenn.ir.given import given_path
from kgenn.ir.network import Network

UNKNOWN = "try another compiler or machine, and report it"
ADVICE = "compile the model again, unless the change is meant"
# What others make beside the sources, and kgenn never reads: CMake's build, Python's bytecode.
TOLERATED = ("build", "__pycache__", f".*{SUFFIX}")
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


def wrong_spikes(
    directory: Path, simulator: Simulator, network: Network, test: SelfTest, advice: str = UNKNOWN
) -> tuple[Diagnostic, ...]:
    """Run the samples of a self-test, and return a KG642 for all that is other than with the NumPy reference."""
    return tuple(
        Diagnostic("KG642", str(directory), what, advice) for what in departures(network, simulator, test)
    )


def verify(directory: str | os.PathLike[str], options: RunOptions | None = None) -> Verification:
    """Check that the files of a compiled directory are unchanged and that it still gives the same spikes.

    A file that was changed, removed or added is a problem, except what a run adds: the built library or GeNN's
    build, which have checksums of their own. If no file was changed, the self-test runs on the directory's target.
    This builds and loads the directory's code, with your rights.

    Args:
        directory: written by `kgenn compile` or `CompiledNetwork.save`.
        options: threads, the interpreter that has pygenn, and others. With `edited=True` the self-test also runs
            with changed sources, as long as the network and the self-test are unchanged.

    Returns:
        What was found; `Verification.sound` is true if there is no problem.

    Raises:
        KgennError: KG605 if kgenn did not write the directory, KG641 if it has no checksums or no self-test.
    """
    place, options = given_path(directory, "directory", "KG605"), run_options(options)
    try:
        expected = _expected(place)
    except KgennError as error:
        if any(diagnostic.code != "KG640" for diagnostic in error.diagnostics):
            raise
        return Verification(str(directory), error.diagnostics)
    found = dict(differences(place, expected))
    if found.keys() & CORE:
        return Verification(str(directory), _changes(place, found), len(expected))
    artifact = read_directory(place)
    backend = TARGETS.get(artifact.target)()
    found = {name: what for name, what in found.items() if not _is_left(name, (*backend.leaves, *TOLERATED))}
    changed = not found.keys().isdisjoint(expected)
    found |= backend.damaged(place)
    whole = Verification(str(directory), _changes(place, found), len(expected), artifact.target)
    if (changed and not options.edited) or not _runs(place, expected, backend):
        return whole
    test = _self_test(place, artifact.network)
    advice = "the changed files may be the reason" if found else UNKNOWN
    try:
        problems = wrong_spikes(
            place, backend.load(artifact.network, place, options), artifact.network, test, advice
        )
    except KgennError as error:
        return replace(whole, problems=whole.problems + error.diagnostics)
    return replace(
        whole,
        problems=(*whole.problems, *problems),
        samples=len(test.drive),
        timesteps=test.num_timesteps,
        spikes=int(test.spikes.sum()),
    )


def _expected(directory: Path) -> dict[str, str]:
    expected = written_sums(directory)
    if not expected.keys() >= CORE:
        advice = "compile the model again with this version of kgenn"
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
