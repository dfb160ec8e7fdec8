"""The interpreter that has pygenn, for the tests that run real GeNN."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache

import pytest


def genn_python() -> str:
    """Return $KGENN_GENN_PYTHON or this interpreter; skip the test where it has no pygenn."""
    python = os.environ.get("KGENN_GENN_PYTHON") or sys.executable
    if not has_pygenn(python):
        pytest.skip(f"{python} has no pygenn; install GeNN or set KGENN_GENN_PYTHON")
    return python


@cache
def has_pygenn(python: str) -> bool:
    """Tell whether an interpreter can import pygenn."""
    return subprocess.run([python, "-c", "import pygenn"], capture_output=True, check=False).returncode == 0
