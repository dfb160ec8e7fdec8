"""Command lines of an ordinary user, who may not write everywhere."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "benchmarks/models/mnist_cnn.h5"
IMAGES = ROOT / "benchmarks/data/mnist_1000.npz"
CALIBRATION = ROOT / "benchmarks/data/mnist_calibration.npz"
# The user and group `nobody` of Debian, Fedora and others.
NOBODY = 65534
PATIENCE = 600.0
# Runs a command as that user. He may read everything, since the interpreter may lie in root's home, and write
# only what is his.
READ = "+dac_read_search"
AS_USER = (
    ()
    if os.geteuid()
    else (
        *("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"),
        *("--inh-caps", READ, "--ambient-caps", READ),
    )
)


@dataclass(frozen=True)
class Outcome:
    """What a command line gave."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> bool:
        """Tell whether the command failed with diagnostics alone."""
        return self.code in (1, 3) and self.err.startswith("error[KG") and "Traceback" not in self.err


def open_to_user(folder: Path) -> None:
    """Let the ordinary user write into a folder."""
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)


def made(folder: Path) -> Path:
    """Return a fresh folder of the ordinary user's."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    open_to_user(folder)
    return folder


def start(*arguments: object, cache: Path, prefix: str = "") -> subprocess.Popen[str]:
    """Start a command line of kgenn as the ordinary user, with what it starts in a process group of its own.

    Args:
        prefix: Python statements that run before.
    """
    code = f"{prefix}\nfrom kgenn.cli import main\nmain()"
    environment = {**os.environ, "KGENN_CACHE": str(cache), "HOME": str(cache), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [*AS_USER, sys.executable, "-c", code, *map(str, arguments)],
        cwd=cache.parent,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def outcome(process: subprocess.Popen[str]) -> Outcome:
    """Return what a command line gave, when it has ended."""
    out, err = process.communicate(timeout=PATIENCE)
    return Outcome(process.returncode, out, err)


def kgenn(*arguments: object, cache: Path, prefix: str = "") -> Outcome:
    """Run a command line to its end."""
    return outcome(start(*arguments, cache=cache, prefix=prefix))


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a command line and the compiler that it has started, as a power cut would."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def compilation(output: Path, timesteps: int = 8, converter: str = "data-norm") -> tuple[object, ...]:
    """Return the arguments that compile the shipped model to C++."""
    data = ("--calibration", CALIBRATION, "--scale", "1/255", "--calibration-samples", 64)
    return ("compile", MODEL, *data, "--converter", converter, "--timesteps", timesteps, "-o", output)


def scratches(folder: Path) -> list[str]:
    """Return the scratch directories that are left in a folder."""
    return sorted(str(path) for path in folder.rglob(".*.kgenn-scratch")) if folder.exists() else []
