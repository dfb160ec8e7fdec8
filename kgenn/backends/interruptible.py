"""Ctrl-C where Python by itself hears of it too late, in compiled code, or too early."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


@contextmanager
def delayed_interrupts() -> Iterator[None]:
    """Raise what Ctrl-C raises at the end of the block: what the block begins is then known to who ends it."""
    before = signal.getsignal(signal.SIGINT)
    if current_thread() is not main_thread() or not callable(before):
        yield
        return
    heard = Event()
    signal.signal(signal.SIGINT, lambda *_: heard.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if heard.is_set():
            signal.raise_signal(signal.SIGINT)
