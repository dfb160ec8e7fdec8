"""Measure the most memory that a process takes while it reads an input, as Linux counts it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kgenn.frontend.bounds import most_memory

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass
class Meter:
    """What reading an input takes.

    Attributes:
        held: bytes of the arrays of the result; 0 where there is none.
        taken: the most bytes of memory beyond what was there before.
        stated: the most that kgenn may take.
    """

    held: int = 0
    taken: int = 0
    stated: int = 0

    @contextmanager
    def reading(self, path: Path) -> Iterator[None]:
        """Measure a block that reads a file, or the files of a folder, and sets `held`."""
        files = [path] if path.is_file() else [inner for inner in path.iterdir() if inner.is_file()]
        gc.collect()
        CLEAR.write_text("5")  # the peak begins at what is resident now
        before = _resident("VmRSS")
        try:
            yield
        finally:
            self.taken = max(0, _resident("VmHWM") - before)
            self.stated = most_memory(sum(file.stat().st_size for file in files), self.held)


def measurable() -> bool:
    """Tell whether the system counts."""
    return CLEAR.exists() and "VmHWM" in STATUS.read_text()


def _resident(key: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) * 1024
