"""What single input values add to the output of a linear layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from kgenn.ir.samples import Array, Shape


@dataclass(frozen=True, eq=False)
class Reach:
    """What some values add to an output, contribution by contribution.

    Attributes:
        rows: which of the values each comes from, shape (m,), int64, in any order.
        targets: the position in the output, flat, shape (m,), int64.
        factors: shape (m,), float64.
    """

    rows: Array
    targets: Array
    factors: Array

    @classmethod
    def of_responses(cls, responses: Array, first: int = 0) -> Reach:
        """Return what each value adds, from the outputs for a unit vector of each, shape (n, size).

        Args:
            first: the number of the first value.
        """
        rows, targets = np.nonzero(responses)
        return cls(rows + first, targets, responses[rows, targets])


def unit_vectors(positions: Array, shape: Shape) -> Array:
    """Return inputs of a shape that are 1 at one of the positions, flat, and else 0; shape (n, *shape)."""
    units = np.zeros((len(positions), prod(shape)))
    units[np.arange(len(positions)), positions] = 1.0
    return units.reshape(-1, *shape)


def runs(lengths: Array) -> tuple[Array, Array]:
    """Return the number of the run and the place in it of each element of runs of the given lengths."""
    rows = np.repeat(np.arange(len(lengths)), lengths)
    return rows, np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def joined(parts: Sequence[Reach]) -> Reach:
    """Return all contributions of some parts."""
    if not parts:
        return Reach(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    rows, targets, factors = (
        np.concatenate(arrays) for arrays in zip(*((p.rows, p.targets, p.factors) for p in parts), strict=True)
    )
    return Reach(rows, targets, factors)
