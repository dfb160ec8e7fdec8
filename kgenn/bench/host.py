"""Say on what a cell ran."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from kgenn.backends.cpp import toolchain
from kgenn.diagnostics import KgennError


@cache
def host(target: str) -> dict[str, Any]:
    """Return the processor, the graphics card where the target uses one, and versions."""
    return {
        "cpu": processor_name(),
        **({"gpu": gpu_name()} if "cuda" in target else {}),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "compiler": compiler_version(),
    }


def processor_name() -> str:
    """Return the processor's name where the system tells it, or else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def gpu_name() -> str | None:
    """Return the name of the first graphics card, or None."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    query = [tool, "--query-gpu=name", "--format=csv,noheader"]
    lines = subprocess.run(query, capture_output=True, text=True, check=False).stdout.splitlines()
    return lines[0].strip() if lines else None


def compiler_version() -> str | None:
    """Return the first line of what the C++ compiler says of itself; None where there is none."""
    try:
        lines = toolchain().compiler().version.splitlines()
    except KgennError:
        return None
    return lines[0] if lines else None
