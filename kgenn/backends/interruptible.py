"""Wait for compiled code so that Ctrl-C ends the wait: Python hears of signals only between its instructions."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread, current_thread, main_thread


def interruptible(call: Callable[[], int]) -> int:
    """Run a call of compiled code in a thread of its own, and return what it returns.

    Where the wait is interrupted, the call goes on until it or the process ends; what it uses lives as long.

    Args:
        call: raises nothing.
    """
    if current_thread() is not main_thread():  # which alone hears of signals
        return call()
    results: list[int] = []
    done = Event()

    def run() -> None:
        try:
            results.append(call())
        finally:
            done.set()

    Thread(target=run, daemon=True).start()
    done.wait()
    return results[0]
