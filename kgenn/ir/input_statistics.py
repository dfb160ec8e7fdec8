"""What samples look like, in a few numbers, so that two sets can be compared without keeping either."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kgenn.ir.graph import Array

# Channels that are told apart, at most.
MAX_CHANNELS = 4096


@dataclass(frozen=True)
class InputStatistics:
    """Statistics of samples as the user gives them, over all of their values.

    Attributes:
        num_samples: N, at least 1.
        low, high: the least and the largest value.
        mean, std: of the values.
        negative: the share of values below zero, 0 to 1.
        channel_largest, channel_rms: the largest |value| of each channel, on the last axis, and the root of its
            mean squared value; empty where there are more than `MAX_CHANNELS`.
    """

    num_samples: int
    low: float
    high: float
    mean: float
    std: float
    negative: float
    channel_largest: tuple[float, ...] = ()
    channel_rms: tuple[float, ...] = ()

    @property
    def largest(self) -> float:
        """Return the largest |value|."""
        return max(abs(self.low), abs(self.high))

    @property
    def rms(self) -> float:
        """Return the root of the mean squared value."""
        return float(np.hypot(self.mean, self.std))


class StatisticsTally:
    """Add up samples batch by batch."""

    def __init__(self) -> None:
        self.num_samples, self.num_values, self.num_negative = 0, 0, 0
        self.low, self.high = np.inf, -np.inf
        self.total, self.squares = 0.0, 0.0
        self.channel_largest, self.channel_squares = np.zeros(0), np.zeros(0)

    def add(self, x: Array) -> None:
        """Add a batch of shape (N, ...)."""
        if not x.size:
            return
        self.num_samples += len(x)
        self.num_values += x.size
        self.num_negative += int(np.count_nonzero(x < 0))
        self.low, self.high = min(self.low, float(x.min())), max(self.high, float(x.max()))
        self.total += float(x.sum(dtype=np.float64))
        self.squares += float(np.square(x, dtype=np.float64).sum())
        if x.ndim > 1 and x.shape[-1] <= MAX_CHANNELS:
            self._add_channels(x.reshape(-1, x.shape[-1]))

    def _add_channels(self, rows: Array) -> None:
        largest = np.abs(rows).max(axis=0).astype(np.float64)
        squares = np.einsum("nc,nc->c", rows, rows, dtype=np.float64)
        if len(self.channel_largest):
            largest, squares = np.maximum(largest, self.channel_largest), squares + self.channel_squares
        self.channel_largest, self.channel_squares = largest, squares

    def statistics(self) -> InputStatistics | None:
        """Return the statistics; None where there is no sample, or a value that is not finite."""
        if not self.num_values or not np.isfinite([self.low, self.high, self.squares]).all():
            return None
        mean = self.total / self.num_values
        std = float(np.sqrt(max(self.squares / self.num_values - mean**2, 0.0)))
        share = self.num_negative / self.num_values
        rms = np.sqrt(self.channel_squares * (len(self.channel_squares) / self.num_values))
        channels = (tuple(self.channel_largest.tolist()), tuple(rms.tolist()))
        return InputStatistics(self.num_samples, self.low, self.high, mean, std, share, *channels)


def statistics_of(x: Array, batch_size: int = 256) -> InputStatistics | None:
    """Return the statistics of samples of shape (N, ...), `batch_size` at a time; None as for the tally."""
    tally = StatisticsTally()
    for start in range(0, len(x), batch_size):
        tally.add(np.asarray(x[start : start + batch_size]))
    return tally.statistics()
