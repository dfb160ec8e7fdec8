"""Mean and mean square of what each population stands for, over the calibration set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kgenn.conversion.activations import BATCH, check_finite
from kgenn.conversion.base import Recall, anew
from kgenn.conversion.paths import is_population
from kgenn.ir.graph import Array, Graph

# Samples that the moments are taken over: they only say how busy a population is.
MOST_SAMPLES = 64


@dataclass(frozen=True, eq=False)
class Moments:
    """How large the values of a node are.

    Attributes:
        mean, square: mean of the value and of its square, shape (channels,), float64.
    """

    mean: Array
    square: Array

    def relative(self, scale: Array) -> tuple[float, float]:
        """Return mean and root mean square over all channels as shares of λ, of shape () or (channels,)."""
        return float(np.mean(self.mean / scale)), float(np.sqrt(np.mean(self.square / scale**2)))


def moments(graph: Graph, samples: Array, recall: Recall = anew) -> Mapping[str, Moments]:
    """Return the moments of the input, of every ReLU and of every max pooling of a lowered graph.

    Args:
        samples: shape (N, *input shape); the first `MOST_SAMPLES` are used.
        recall: keeps them.

    Raises:
        KgennError: KG402 where a value is not finite.
    """
    found: Mapping[str, Moments] = recall("moments", lambda: _moments(graph, samples[:MOST_SAMPLES]))
    return found


def _moments(graph: Graph, samples: Array) -> dict[str, Moments]:
    size = graph.batch_size(BATCH)
    sums: dict[str, list[Array]] = {}
    for start in range(0, len(samples), size):
        for name, value in graph.forward(np.asarray(samples[start : start + size], np.float32)):
            if is_population(graph.by_name[name]):
                check_finite(name, value)
                rows = value.reshape(-1, value.shape[-1]).astype(np.float64)
                share = len(value) / len(samples)
                part = share * np.stack([rows.mean(axis=0), (rows**2).mean(axis=0)])
                sums.setdefault(name, []).append(part)
    return {name: Moments(*np.sum(parts, axis=0)) for name, parts in sums.items()}
