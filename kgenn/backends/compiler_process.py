"""Run a compiler as a process that cannot outlive, or hold up, the one that waits for it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

from kgenn.diagnostics import fail


def run_compiler(
    command: Sequence[str], seconds: float, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a compiler; it and what it started end with the call, however that ends.

    Args:
        command: the compiler and its arguments.
        seconds: after which it is taken to hang.
        environment: in place of this process' own.

    Raises:
        KgennError: KG501 where it cannot be started, KG502 where it does not end.
    """
    try:
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
    except OSError as error:
        what = f"cannot be started: {error.strerror or error}"
        raise fail("KG501", command[0], what, "set CXX to a compiler") from error
    with process:
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            what, advice = f"did not end within {seconds:g} s", "run it by hand, or set CXX to another one"
            raise fail("KG502", " ".join(command[:2]), what, advice) from error
        finally:
            if process.poll() is None:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(list(command), process.returncode, out, err)
