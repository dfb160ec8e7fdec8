"""Every writer flushes what it wrote before it renames it, and the name after it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kgenn
from kgenn.artifact.directory import Artifact, write_artifact
from kgenn.backends import TARGETS, build_cache
from kgenn.backends.left_library import leave
from kgenn.backends.reference import ReferenceSimulator
from kgenn.files import durable
from kgenn.files.durable import exchange
from kgenn.files.output import write_file, write_files
from kgenn.ir.recording import RecordingOptions
from kgenn.trace import TraceWriter
from recordings import converted

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="finds files by Linux' /proc")


@dataclass
class Disk:
    """What this process asks of the disk: after a power cut only what was flushed is there.

    Attributes:
        flushed: the inodes of files and directories whose content is on the disk.
        early: what was renamed before it was flushed.
        open_names: directories whose last rename is not flushed yet.
    """

    flushed: set[int] = field(default_factory=set)
    early: list[Path] = field(default_factory=list)
    open_names: set[Path] = field(default_factory=set)
    moves: int = 0

    def sync(self, descriptor: int) -> None:
        self.flushed.add(os.fstat(descriptor).st_ino)
        self.open_names.discard(Path(os.readlink(f"/proc/self/fd/{descriptor}")))

    def move(self, source: Path, target: Path) -> None:
        self.moves += 1
        below = [source, *source.rglob("*")] if source.is_dir() else [source]
        self.early += [path for path in below if path.stat().st_ino not in self.flushed]
        self.open_names.add(target.parent)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Watch the flushes and the renames of this process, which are made all the same."""
    watched = Disk()
    fsync, rename, replace = os.fsync, os.rename, os.replace

    def watch(real: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        def move(source: Any, target: Any) -> None:
            watched.move(Path(source), Path(target))
            real(source, target)

        return move

    def flush(descriptor: int) -> None:
        fsync(descriptor)
        watched.sync(descriptor)

    def swap(one: Path, two: Path) -> bool:
        watched.move(one, two)
        return exchange(one, two)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(os, "rename", watch(rename))
    monkeypatch.setattr(os, "replace", watch(replace))
    monkeypatch.setattr(durable, "exchange", swap)
    return watched


def output(place: Path) -> None:
    for encoder in ("if", "poisson"):
        network = converted("dense", encoder)
        write_artifact(place / "out", Artifact(network, "cpu").files(TARGETS.get("cpu")().emit(network)))


def trace(place: Path) -> None:
    network = converted("dense", "if")
    drive = network.drive(np.full((2, *network.input_shape), 0.5, np.float32))
    with TraceWriter(place / "t.npz", network) as writer:
        writer.add(0, ReferenceSimulator(network).run(drive, 0, RecordingOptions(trace=True)))


def cached(place: Path) -> None:
    (place / "made.so").write_bytes(b"library")
    build_cache.keep("key", place / "made.so")


def left(place: Path) -> None:
    (place / "made").write_bytes(b"library")
    leave(place / "made", place / "lib.so")


WRITERS = {
    "an output directory": output,
    "a file": lambda place: write_file(place / "f", b"1"),
    "several files": lambda place: write_files(place / "a", {"a": b"1", "b": b"2"}),
    "a trace": trace,
    "the build cache": cached,
    "a library in an output directory": left,
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_what_is_renamed_was_flushed_and_the_name_is_flushed_after(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], None]
) -> None:
    (tmp_path / "cache").mkdir()
    monkeypatch.setenv("KGENN_CACHE", str(tmp_path / "cache"))
    write(tmp_path)
    assert disk.moves > 0
    assert disk.early == []
    assert disk.open_names == set()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_building_flushes_all_that_it_keeps(tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KGENN_CACHE", str(tmp_path / "cache"))
    output(tmp_path)
    kgenn.open_directory(tmp_path / "out")
    assert disk.early == []
    assert disk.open_names == set()
    kept = [*(tmp_path / "cache").iterdir(), *(tmp_path / "out").glob("lib*")]
    assert len(kept) == 4
    assert {path.stat().st_ino for path in kept} <= disk.flushed


def test_a_disk_that_fills_while_it_is_flushed_leaves_the_older_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_file(tmp_path / "f", b"old")

    def fsync(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(kgenn.KgennError, match=r"KG606.*No space left"):
        write_file(tmp_path / "f", b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"f": b"old"}
