"""Command lines as processes of their own, which tests interrupt, kill, and let run out of room."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from outcome import CALIBRATION, MODEL, ROOT, Outcome

# Seconds after which something hangs.
PATIENCE = 120


class Process:
    """A command line that runs, with what it starts, as a group of processes."""

    def __init__(self, arguments: Sequence[object], environment: dict[str, str], **options: Any) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "kgenn", *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )

    def interrupt(self) -> None:
        """Interrupt the whole group, as Ctrl-C on a terminal does."""
        os.killpg(self.popen.pid, signal.SIGINT)

    def kill(self) -> None:
        """Kill the process and what it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.communicate()

    def outcome(self) -> Outcome:
        """Return what it gave, when it has ended."""
        out, err = self.popen.communicate(timeout=PATIENCE)
        return Outcome(self.popen.returncode, (out or b"").decode(), (err or b"").decode())

    def until(self, happens: Callable[[], object]) -> None:
        """Wait until something happens, which must be before the process ends."""
        deadline = time.monotonic() + PATIENCE
        while not happens():
            assert time.monotonic() < deadline, "nothing happens"
            assert self.popen.poll() is None, self.outcome()
            time.sleep(0.002)


def kgenn(*arguments: object, **environment: str) -> Outcome:
    """Run a command line to its end."""
    return Process(arguments, environment).outcome()


def compile_arguments(output: Path, *extra: object) -> tuple[object, ...]:
    """Return the arguments that compile the shipped model for a few steps, for the reference unless told."""
    data = ("--calibration", CALIBRATION, "--scale", "1/255", "--calibration-samples", 64)
    return ("compile", MODEL, *data, "--timesteps", 4, "--target", "reference", "-o", output, *extra)


def script(directory: Path, text: str, name: str = "odd-g++") -> Path:
    """Write a shell script that stands for a compiler."""
    path = directory / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def names(directory: Path) -> list[str]:
    """Return the names in a directory, hidden ones too."""
    return sorted(path.name for path in directory.iterdir())


def gone(pid: int) -> None:
    """Wait until a process is there no more, or a zombie that waits for its parent."""
    deadline = time.monotonic() + PATIENCE
    with suppress(FileNotFoundError):
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            assert time.monotonic() < deadline, f"{pid} is left"
            time.sleep(0.01)
