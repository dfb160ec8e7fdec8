"""The command line as a whole: help, versions, exit codes, interrupts, pipes, odd terminals."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

import kgenn as package
from commands import IMAGES, MODEL, ROOT, Kgenn
from kgenn.cli import COMMANDS, Commands, group
from kgenn.cli.console import clean
from kgenn.compiled import CompiledNetwork

KGENN = [sys.executable, "-c", "from kgenn.cli import main; main()"]


def test_help_names_every_command_in_its_own_words(kgenn: Kgenn) -> None:
    done = kgenn("--help")
    assert done.code == 0
    assert isinstance(group, Commands)
    with group.make_context("kgenn", ["list"]) as context:
        for name, (_, line) in COMMANDS.items():
            command = group.get_command(context, name)
            assert command is not None
            assert command.get_short_help_str(100) == line
            assert name in done.out


def test_help_loads_neither_numpy_nor_the_compiler() -> None:
    """What makes the help slow is what it imports; the time itself depends on the machine."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "kgenn", "--help"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not loaded & {"numpy", "h5py", "jinja2", "kgenn.conversion", "kgenn.backends", "tensorflow"}


def test_the_version_is_the_package_s(kgenn: Kgenn) -> None:
    assert kgenn("--version").out.strip() == f"kgenn, version {package.__version__}"


@pytest.mark.parametrize(
    "arguments", [["fly"], ["run"], ["check"], ["list", "people"], ["check", "m", "--fast"], []]
)
def test_a_wrong_usage_ends_with_2_and_says_how(kgenn: Kgenn, arguments: list[str]) -> None:
    done = kgenn(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "Usage: kgenn" in done.err


def test_an_interrupt_ends_with_130_and_one_line(
    kgenn: Kgenn, compiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(CompiledNetwork, "evaluate", interrupt)
    done = kgenn("run", compiled, "--data", IMAGES, "--trace", tmp_path / "trace.npz")
    assert (done.code, done.out, done.err) == (130, "", "interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_a_broken_pipe_is_quiet() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*KGENN, "list"], cwd=ROOT, check=False, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_terminal_that_lacks_a_character_shows_a_question_mark(compiled: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1:strict"}
    done = subprocess.run(
        [*KGENN, "inspect", compiled], cwd=ROOT, check=True, capture_output=True, env=environment
    )
    header = done.stdout.decode("latin-1").splitlines()[0]
    assert "unit" in header
    assert "?" in header  # λ
    assert "sum 2×2" in done.stdout.decode("latin-1")


def test_names_cannot_steer_the_terminal() -> None:
    assert clean("a\x1b[2Jb\rc\nd×") == "a\N{REPLACEMENT CHARACTER}[2Jb\N{REPLACEMENT CHARACTER}c\nd×"


def test_a_narrow_terminal_gets_every_word_whole(kgenn: Kgenn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as if on a terminal
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    out = kgenn("list", "methods").out
    assert "…" not in out.replace("4 …", "")
    for word in ("time", "threshold-relu", "poisson-signed", "lopezrandulfe2022"):
        assert word in out


def test_what_cannot_be_read_or_written_is_a_diagnostic_and_no_error_of_usage(
    kgenn: Kgenn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "net.svg").touch()
    monkeypatch.setattr(os, "access", lambda *arguments, **options: False)
    assert kgenn("check", MODEL).code == 0
    done = kgenn("inspect", MODEL, "--picture", tmp_path / "net.svg")
    assert (done.code, done.codes) == (1, ["KG606"])
    assert "is read-only" in done.err
    assert (tmp_path / "net.svg").read_bytes() == b""


def test_a_directory_that_may_not_be_read_is_said_to_be_one(
    kgenn: Kgenn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "is_file", denied)
    done = kgenn("verify", tmp_path)
    assert (done.code, done.codes) == (3, ["KG609"])
    assert "check who may read and write it" in done.err
