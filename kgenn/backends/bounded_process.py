"""Run a process that cannot outlive, or hold up, the one that waits for it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress


def run_bounded(
    command: Sequence[str], seconds: float, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command without input; it and what it started end with the call, however that ends.

    Args:
        command: a program and its arguments.
        seconds: after which it is taken to hang.
        environment: in place of this process' own.

    Raises:
        OSError: where it cannot be started.
        subprocess.TimeoutExpired: where it does not end.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment,
        start_new_session=True,  # a group of processes, which is ended as one
    )
    with process:
        try:
            out, err = process.communicate(timeout=seconds)
        finally:
            if process.poll() is None:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(list(command), process.returncode, out, err)
