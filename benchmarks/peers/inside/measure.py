"""Time a classifier on one thread, and weigh its process."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Classify = Callable[[Array], Array]  # images of shape (N, height, width, C) to scores of shape (N, classes)


def measured(classify: Classify, x: Array, y: Array, batch_size: int) -> dict[str, float | int]:
    """Classify all images in batches, after one batch that is not timed.

    Returns:
        accuracy, images, images_per_second by the wall clock, images_per_cpu_second, wall_seconds, cpu_seconds of
        this process, and peak_mb: its largest resident size so far, libraries included, in units of 10⁶ bytes.
    """
    classify(x[:batch_size])
    wall, cpu = time.perf_counter(), time.process_time()
    scores = [classify(x[start : start + batch_size]) for start in range(0, len(x), batch_size)]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "accuracy": float(np.mean(np.concatenate(scores).argmax(axis=1) == y)),
        "images": len(x),
        "images_per_second": len(x) / wall,
        "images_per_cpu_second": len(x) / cpu,
        "wall_seconds": wall,
        "cpu_seconds": cpu,
        "peak_mb": peak_bytes() / 1e6,
    }


def peak_bytes() -> int:
    """Return the largest resident size that this process has had."""
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there and in KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def write(result: dict[str, Any], path: Path) -> None:
    """Write a result for the process that asked for it."""
    path.write_text(json.dumps(result), encoding="utf-8")
