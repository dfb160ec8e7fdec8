"""Scratch directories: what is written is whole or not there, and nobody's scratch directory stays."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kgenn.diagnostics import KgennError
from kgenn.files import durable, scratch
from kgenn.files.checksums import IGNORE, SUMS, sums
from kgenn.files.output import OutputKind, write_directory, write_file, write_files
from kgenn.files.scratch import SUFFIX

pytestmark = pytest.mark.quick

OLD = {"a": b"old", "b/c": b"old"}
NEW = {"a": b"new", "d": b"new"}


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(directory)): p.read_bytes()
        for p in sorted(directory.rglob("*"))
        if p.is_file() and p.name not in (SUMS, IGNORE)
    }


def write(directory: Path, files: dict[str, bytes]) -> None:
    write_directory(directory, {**files, SUMS: sums(files)}, OutputKind("a test", lambda directory: True))


class FailingRename:
    """os.rename, of which one call fails as on a full disk."""

    def __init__(self, failing: int) -> None:
        self.failing, self.calls = failing, 0
        self.rename = os.rename

    def __call__(self, source: Any, target: Any) -> None:
        self.calls += 1
        if self.calls == self.failing:
            raise OSError(28, "No space left on device", str(target))
        self.rename(source, target)


@pytest.mark.parametrize(("older", "failing"), [(False, 1), (True, 1), (True, 2), (True, 3)])
def test_without_exchange_a_rename_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, older: bool, failing: int
) -> None:
    if older:
        write(tmp_path / "out", OLD)
    before = contents(tmp_path)
    monkeypatch.setattr(durable, "exchange", lambda one, two: False)
    monkeypatch.setattr(durable.os, "rename", FailingRename(failing))
    with pytest.raises(KgennError, match=r"KG606.*No space left"):
        write(tmp_path / "out", NEW)
    assert contents(tmp_path) == before
    assert len(list(tmp_path.iterdir())) == older


@pytest.mark.parametrize("exchanges", [True, False])
def test_a_directory_is_replaced_with_and_without_exchange(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchanges: bool
) -> None:
    if not exchanges:
        monkeypatch.setattr(durable, "exchange", lambda one, two: False)
    for files in (OLD, NEW, OLD):
        write(tmp_path / "out", files)
        assert contents(tmp_path / "out") == files
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_exchange_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exchange(one: Path, two: Path) -> bool:
        raise OSError(1, "Operation not permitted")

    write(tmp_path / "out", OLD)
    monkeypatch.setattr(durable, "exchange", exchange)
    with pytest.raises(KgennError, match=r"KG606.*not permitted"):
        write(tmp_path / "out", NEW)
    assert contents(tmp_path) == {f"out/{name}": content for name, content in OLD.items()}


@pytest.mark.parametrize("exchanges", [True, False])
def test_a_directory_that_another_process_takes_away_meanwhile_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchanges: bool
) -> None:
    real, calls = durable.exchange, 0

    def exchange(one: Path, two: Path) -> bool:
        nonlocal calls
        calls += 1
        if calls == 1:
            shutil.rmtree(two)
        return real(one, two) if exchanges else False

    write(tmp_path / "out", OLD)
    monkeypatch.setattr(durable, "exchange", exchange)
    write(tmp_path / "out", NEW)
    assert contents(tmp_path / "out") == NEW
    assert calls == 1


def test_symbolic_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "there/out")
    (tmp_path / "f").symlink_to(tmp_path / "there/f")
    for content in (b"1", b"2"):
        write(tmp_path / "out", {"a": content})
        write_file(tmp_path / "f", content)
        assert contents(tmp_path / "there") == {"f": content, "out/a": content}
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_symlink()) == ["f", "out"]


def test_a_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(KgennError, match=r"KG606.*not a regular file"):
        write_file(tmp_path / "pipe", b"1")
    assert (tmp_path / "pipe").is_fifo()


def test_of_several_files_none_is_replaced_before_all_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path / "a", {"a": b"old", "b": b"old"})
    real = Path.write_bytes

    def write_bytes(self: Path, content: bytes) -> int:
        if content == b"too much":
            raise OSError(28, "No space left on device")
        return real(self, content)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    with pytest.raises(KgennError, match=r"KG606.*No space left"):
        write_files(tmp_path / "a", {"a": b"new", "b": b"too much"})
    assert contents(tmp_path) == {"a": b"old", "b": b"old"}


# makes a scratch directory beside the file that it is given, says so, and waits
HOLDER = """
import sys, time
from pathlib import Path
from kgenn.files.scratch import scratch
with scratch(Path(sys.argv[1])) as place:
    (place / "half").write_bytes(b"half")
    print(place, flush=True)
    time.sleep(60)
"""


def scratches(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir() if path.name.endswith(SUFFIX)]


def test_what_a_killed_process_left_is_removed_by_the_next_and_what_a_living_one_has_is_not(
    tmp_path: Path,
) -> None:
    target = tmp_path / "f"
    (tmp_path / ".f-backup").mkdir()
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(target)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        place = Path(process.stdout.readline().strip())
        write_file(target, b"1")
        assert scratches(tmp_path) == [place.name]
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert (place / "half").exists()
    write_file(tmp_path / "other", b"1")
    assert scratches(tmp_path) == [place.name]
    write_file(target, b"2")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".f-backup", "f", "other"]


def test_where_directories_cannot_be_locked_nothing_is_taken_for_abandoned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f".f-1{SUFFIX}").mkdir()
    monkeypatch.setattr(scratch, "_lock", lambda path, wait: None)
    write_file(tmp_path / "f", b"1")
    assert contents(tmp_path) == {"f": b"1"}
    assert scratches(tmp_path) == [f".f-1{SUFFIX}"]
    monkeypatch.undo()
    write_file(tmp_path / "f", b"2")
    assert scratches(tmp_path) == []


def test_a_scratch_directory_that_another_process_removed_before_it_was_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, removed = scratch._lock, []

    def lock(path: Path, wait: bool) -> int | None:
        if not removed:
            removed.append(path)
            path.rmdir()
        return real(path, wait)

    monkeypatch.setattr(scratch, "_lock", lock)
    write_file(tmp_path / "f", b"1")
    assert contents(tmp_path) == {"f": b"1"}
    assert len(removed) == 1
    assert scratches(tmp_path) == []


def test_trying_whether_a_path_can_be_written_leaves_no_trace(tmp_path: Path) -> None:
    scratch.writable(tmp_path / "new" / "deep" / "f")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Not a directory"):
        scratch.writable(tmp_path / "file" / "f")


@pytest.mark.parametrize("name", ["n" * 255, "é" * 127])
def test_a_name_as_long_as_file_systems_take_is_written_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    write_file(tmp_path / name, b"content")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with scratch.scratch(tmp_path / name) as other:
        # mkdtemp never ends a name with a capital
        shutil.copytree(other, tmp_path / f"{other.name[: -len(SUFFIX) - 1]}X{SUFFIX}")
        write_file(tmp_path / name, b"new")
        assert {path.name for path in tmp_path.iterdir()} == {name, other.name}
    assert (tmp_path / name).read_bytes() == b"new"
