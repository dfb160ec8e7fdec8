"""Settings of the process that every cell runs under; cells that run in threads of one process share them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock

from kgenn.bench.extras import extra
from kgenn.diagnostics import KgennWarning


class ProcessSettings:
    """NumPy on one thread, and no kgenn warning printed (a cell's result holds them).

    Both belong to the process. The first cell makes the settings and the last one takes them back, so that a cell
    that ends does not change the order of another one's sums.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._running = 0
        self._made = ExitStack()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the settings for one cell.

        Raises:
            KgennError: KG508 where threadpoolctl is not installed.
        """
        limits = extra("threadpoolctl", "bench").threadpool_limits
        with self._lock:
            if not self._running:
                self._made.enter_context(limits(1))
                self._made.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore", KgennWarning)
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                if not self._running:
                    self._made.close()


SETTINGS = ProcessSettings()
