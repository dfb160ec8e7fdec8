"""Drive the process that runs GeNN, and turn its end or its log into a diagnostic."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from kgenn.backends import genn_worker
from kgenn.backends.interruptible import delayed_interrupts
from kgenn.diagnostics import KgennError, fail
from kgenn.ir.graph import Array

INSTALLATION = "https://genn-team.github.io/genn/documentation/5/installation.html"
MAX_LOG_LINES = 15
# Seconds for a process to end by itself.
PATIENCE = 1.0
# What a line of GeNN's log contains that says more than that a command ran.
INFORMATIVE = (
    *("error", "Error", "exception", "terminate", "Assertion", "what():", "fatal", "undefined", "CUDA"),
    *("No such file", "not found", "Permission denied", "Killed"),
)


def interpreter(chosen: str | None) -> str:
    """Return the interpreter that shall have pygenn."""
    return chosen or os.environ.get("KGENN_GENN_PYTHON") or sys.executable


def scratch_directory(owner: object) -> Path:
    """Return a fresh directory that is removed with its owner."""
    path = tempfile.mkdtemp(prefix="kgenn-")
    weakref.finalize(owner, shutil.rmtree, path, ignore_errors=True)
    return Path(path)


def _end(process: subprocess.Popen[str]) -> None:
    """End a process by closing its input, which it reads until there is no more, or where it is busy by force."""
    for stream in (process.stdin, process.stdout):
        with suppress(BrokenPipeError):
            GennProcess.pipe(stream).close()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # the compilers that it has started too
        process.wait()


class GennProcess:
    """A process that holds a built network and answers requests.

    Attributes:
        cpu_seconds: CPU time of its simulations so far.
        kernel_seconds: GeNN's own times so far.
    """

    def __init__(self, python: str, directory: Path, place: Path, options: Mapping[str, Any]) -> None:
        self.python = python
        self.cpu_seconds = 0.0
        self.kernel_seconds: dict[str, float] = {}
        self.scratch = scratch_directory(self)
        self.log = (self.scratch / "log").open("w+", errors="replace")
        weakref.finalize(self, self.log.close)
        command = [python, genn_worker.__file__, str(directory), str(place), json.dumps(dict(options))]
        try:
            with delayed_interrupts():
                self.process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self.log,
                    text=True,
                    start_new_session=True,
                )
                weakref.finalize(self, _end, self.process)
        except OSError as error:
            what = f"cannot be started: {error.strerror or error}"
            raise fail(
                "KG505", python, what, "name the interpreter that has pygenn: --genn-python PATH"
            ) from error
        self.receive()

    def run(self, drive: Array, first_sample: int, curve: bool) -> dict[str, Array]:
        """Simulate a batch and return the arrays of the answer; see `genn_worker.simulate`."""
        given, output = self.scratch / "drive.npy", self.scratch / "output.npz"
        try:
            np.save(given, drive)
        except OSError as error:
            what = f"has no room for {drive.nbytes:,} bytes: {error.strerror or error}"
            raise fail(
                "KG609", str(self.scratch), what, "make room, set TMPDIR, or use a smaller batch"
            ) from error
        request = {"drive": str(given), "first_sample": first_sample, "curve": curve, "output": str(output)}
        try:
            self.pipe(self.process.stdin).write(json.dumps(request) + "\n")
            self.pipe(self.process.stdin).flush()
        except BrokenPipeError:
            raise self.failure() from None
        answer = self.receive()
        self.cpu_seconds += answer["cpu_seconds"]
        self.kernel_seconds = answer["kernel_seconds"]
        with np.load(output) as archive:
            return dict(archive)

    def receive(self) -> dict[str, Any]:
        """Return the next answer.

        Raises:
            KgennError: KG505 where pygenn is missing, KG507 without a device, KG506 where the process ended.
        """
        line = self.pipe(self.process.stdout).readline()
        answer: dict[str, Any] = json.loads(line) if line else {}
        if "missing" in answer:
            advice = f"install GeNN ({INSTALLATION}) or name another interpreter with --genn-python"
            raise fail(
                "KG505", self.python, answer["missing"], f"{advice}; --target cpu gives the same spikes without it"
            )
        if "no_device" in answer:
            raise fail("KG507", "CUDA", answer["no_device"], "the targets genn-cpu and cpu give the same spikes")
        if not answer:
            raise self.failure()
        return answer

    def failure(self) -> KgennError:
        """Return the diagnostic of a process that ended."""
        code = self.process.wait()
        self.log.seek(0)
        lines = [line.rstrip() for line in self.log if line.strip()]
        informative = [line for line in lines if any(word in line for word in INFORMATIVE)] or lines
        shown = "\n".join(informative[-MAX_LOG_LINES:])
        how = f"ended by signal {-code}" if code < 0 else f"ended with status {code}"
        return fail("KG506", "GeNN", f"{how}; the end of its log:\n{shown}", "--target cpu gives the same spikes")

    @staticmethod
    def pipe(stream: IO[str] | None) -> IO[str]:
        """Return a stream of the process, which was started with pipes."""
        assert stream is not None
        return stream
