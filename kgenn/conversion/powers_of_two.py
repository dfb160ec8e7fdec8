"""Units in which products of float32 neither overflow nor vanish, and values keep all their digits."""

from __future__ import annotations

import numpy as np

from kgenn.ir.graph import Array


def powers_of_two(scale: Array) -> Array:
    """Return the largest power of two up to each scale, float32; 0.5 for 0."""
    found: Array = np.ldexp(np.float32(1), np.frexp(scale)[1] - 1)
    return found
