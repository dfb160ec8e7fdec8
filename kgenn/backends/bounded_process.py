"""Run a process that cannot outlive, or hold up, the one that waits for it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress

from kgenn.backends.interruptible import delayed_interrupts


def run_bounded(
    command: Sequence[str], seconds: float, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command without input; where the call raises, the command ends, and what it started.

    Args:
        command: a program and its arguments.
        seconds: after which it is taken to hang.
        environment: in place of this process' own.

    Raises:
        OSError: where it cannot be started.
        subprocess.TimeoutExpired: where it does not end.
    """
    with ExitStack() as after:
        with delayed_interrupts():  # one inside Popen would leave a process of which nobody knows
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
            after.enter_context(process)
            after.callback(_kill, process)
        out, err = process.communicate(timeout=seconds)
        after.pop_all()
    return subprocess.CompletedProcess(list(command), process.returncode, out, err)


def _kill(process: subprocess.Popen[str]) -> None:
    """Kill a process and its group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
