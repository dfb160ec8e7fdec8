"""What a network loses of its model in a metric, in points, and how uncertain that is.

A point is a hundredth of a share or of R², and a decibel of PSNR; a mean squared error counts as R², and a mean
absolute error in hundredths of the labels' own. Most metrics are means over the samples: with dᵢ the points that
sample i lost, the loss is mean(d), and its standard error std(d)/√N. Others, as F1 and the mean IoU, are no means;
of those the error is that of the jackknife over G groups of samples, with L₋g the loss without group g::

    error² = (G − 1)/G · Σ (L₋g − mean(L₋g))²

Source: Efron and Stein 1981, doi:10.1214/aos/1176345462.
"""

from __future__ import annotations

import numpy as np

from kgenn.ir.graph import Array
from kgenn.tasks.metric import Metric

# Groups of samples at most.
GROUPS = 128


class LossTally:
    """Add up batch by batch what predictions lose against a model's.

    Args:
        metric: that speaks.
        labels: of all samples, shape (N, *label shape).
        steps: after which there are predictions, S.
    """

    def __init__(self, metric: Metric, labels: Array, steps: int) -> None:
        self.metric, self.labels, self.steps = metric, labels, steps
        self.lost, self.squared = np.zeros((2, steps))
        self.groups: dict[int, tuple[Array, Array]] = {}

    def add(self, model: Array, network: Array, start: int) -> None:
        """Add one batch.

        Args:
            model, network: predictions, shapes (B, *label shape) and (B, S, *label shape).
            start: index of the first sample.
        """
        labels = self.labels[start : start + len(model)]
        own, other = self.metric.terms(model[:, None], labels), self.metric.terms(network, labels)
        if self.metric.mean:
            off = self._of_samples(own) - self._of_samples(other)
            self.lost += off.sum(axis=0)
            self.squared += (off**2).sum(axis=0)
            return
        for index in range(len(model)):
            group = (start + index) % GROUPS
            before = self.groups.get(group, (0, 0))
            self.groups[group] = before[0] + own[index], before[1] + other[index]

    def losses(self) -> tuple[Array, Array]:
        """Return the points lost after each step and their standard errors, shape (S,) each."""
        count = len(self.labels)
        if self.metric.mean:
            mean = self.lost / count
            return mean, np.sqrt(np.maximum(self.squared / count - mean**2, 0) / count)
        own, other = (np.stack(sums) for sums in zip(*self.groups.values(), strict=True))
        lost = self._points(own.sum(axis=0)) - self._points(other.sum(axis=0))
        without = [
            self._points(sums.reshape(-1, sums.shape[-1])).reshape(sums.shape[:2])
            for sums in (own.sum(axis=0) - own, other.sum(axis=0) - other)
        ]
        left = without[0] - without[1]
        spread: Array = ((left - left.mean(axis=0)) ** 2).mean(axis=0)
        return lost, np.sqrt((len(own) - 1) * spread)

    def _of_samples(self, terms: Array) -> Array:
        """Return the points of each sample, whose mean is the metric's, shape (B, S)."""
        sums = terms.reshape(-1, terms.shape[-1]) * len(self.labels)
        return self._points(sums).reshape(terms.shape[:2])

    def _points(self, sums: Array) -> Array:
        return self.metric.points(self.metric.value(sums, self.labels), self.labels)
