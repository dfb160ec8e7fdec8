"""What values a node takes on the calibration set: all that a rewriting by pieces needs to know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kgenn.ir.graph import Array


@dataclass(frozen=True, eq=False)
class NodeValues:
    """Values of a node on some samples.

    Attributes:
        low, high: the least and the largest of each channel, shape (channels or 1,), float64.
        some: a part of all values, evenly taken, shape (rows, channels or 1), float64.
    """

    low: Array
    high: Array
    some: Array

    def mirrored(self, signs: Array) -> NodeValues:
        """Return the values times a sign of each channel, shape (channels,)."""
        ends = np.stack([signs * self.low, signs * self.high])
        return NodeValues(ends.min(axis=0), ends.max(axis=0), signs * self.some)


def assumed() -> NodeValues:
    """Return values to rewrite by where there are no calibration data, as of one channel that stands for all.

    The structure does not depend on them.
    """
    ends = np.full(1, 8.0)
    return NodeValues(-ends, ends, np.linspace(-8, 8, 257)[:, None])
