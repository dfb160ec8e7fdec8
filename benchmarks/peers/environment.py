"""A virtual environment for each peer, made once from its pinned requirements."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import platformdirs

REQUIREMENTS = Path(__file__).parent / "requirements"
# what every peer stands on, with its own dependencies; NumPy's pin keeps arrays readable in all of them
BASE = ("torch==2.13.0", "numpy==2.4.6")


class EnvironmentFailure(RuntimeError):
    """An environment that could not be made; the message is what pip said last."""


def requirements_of(peer: str) -> Path:
    """Return the file of a peer's pinned requirements, which are installed without their dependencies."""
    return REQUIREMENTS / f"{peer}.txt"


def folder_of(peer: str, root: Path | None = None) -> Path:
    """Return where a peer's environment lies: another folder for other requirements or another Python."""
    base = root or Path(platformdirs.user_cache_dir("kgenn")) / "peers"
    told = "\n".join((*BASE, requirements_of(peer).read_text(encoding="utf-8"), platform.python_version()))
    return base / f"{peer}-{sha256(told.encode()).hexdigest()[:12]}"


def python_of(peer: str, root: Path | None = None) -> Path:
    """Return the interpreter of a peer's environment, and make the environment if it is not there or not whole.

    Raises:
        EnvironmentFailure: a requirement cannot be installed.
    """
    folder = folder_of(peer, root)
    python, whole = folder / "bin" / "python", folder / "whole"
    if whole.exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(folder)])
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, *BASE])
    _run([*pip, "--no-deps", "--requirement", str(requirements_of(peer))])
    whole.touch()
    return python


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        last = errors or done.stderr.strip().splitlines() or ["no message"]
        raise EnvironmentFailure(f"does not install: {last[0].removeprefix('ERROR: ')}")
