"""Metrics of predicted values: mean squared and absolute error, R², peak signal-to-noise ratio.

With p the predictions, y the labels and ȳ their mean over the samples::

    MSE = mean (p − y)²        MAE = mean |p − y|        R² = 1 − Σ (p − y)² / Σ (y − ȳ)²
    PSNR = mean over samples of 10 log10 (peak² / MSE of the sample)

R² is computed for each entry of the last axis over samples and positions, and averaged, as scikit-learn's and
Keras' `uniform_average`; where all labels are equal, it is 1 without an error and else 0, as in scikit-learn. The
peak is 1 where the labels lie in [0, 1], and else the range of the labels.
"""

from __future__ import annotations

import numpy as np

from kgenn.ir.graph import Array
from kgenn.tasks.metric import Metric, as_r2, of_spread


def mse() -> Metric:
    """Return the mean squared error."""
    terms = lambda p, y: _squared(p, y).mean(-1, keepdims=True)  # noqa: E731
    return Metric("mse", "plain", False, terms, _mean, as_r2, pointed="R²")


def mae() -> Metric:
    """Return the mean absolute error."""
    terms = lambda p, y: np.abs(_off(p, y)).mean(-1, keepdims=True)  # noqa: E731
    return Metric("mae", "plain", False, terms, _mean, of_spread)


def r2(channels: int) -> Metric:
    """Return the coefficient of determination.

    Args:
        channels: the length of the last axis.
    """

    def terms(predictions: Array, labels: Array) -> Array:
        squares = _squared(predictions, labels)
        found: Array = squares.reshape(*squares.shape[:2], -1, channels).sum(axis=2)
        return found

    def value(sums: Array, labels: Array) -> Array:
        rows = labels.reshape(-1, channels).astype(np.float64)
        spread = ((rows - rows.mean(axis=0)) ** 2).sum(axis=0)
        explained = np.where(spread > 0, 1 - sums / np.where(spread > 0, spread, 1), np.where(sums > 0, 0.0, 1.0))
        found: Array = explained.mean(axis=1)
        return found

    return Metric("r2", "plain", True, terms, value)


def psnr() -> Metric:
    """Return the peak signal-to-noise ratio, in dB."""

    def terms(predictions: Array, labels: Array) -> Array:
        with np.errstate(divide="ignore"):  # without an error it is infinite
            found: Array = -10 * np.log10(_squared(predictions, labels).mean(-1, keepdims=True))
        return found

    def value(sums: Array, labels: Array) -> Array:
        found: Array = 20 * np.log10(peak(labels)) + sums[:, 0] / len(labels)
        return found

    return Metric(
        "psnr", "decibel", True, terms, value, lambda values, labels: values, compares=False, pointed="PSNR (dB)"
    )


def peak(labels: Array) -> float:
    """Return the range of values that PSNR compares errors with."""
    low, high = float(labels.min()), float(labels.max())
    return 1.0 if low >= 0 and high <= 1 else high - low


def _off(predictions: Array, labels: Array) -> Array:
    off: Array = predictions.reshape(*predictions.shape[:2], -1) - labels.reshape(len(labels), 1, -1)
    return off


def _squared(predictions: Array, labels: Array) -> Array:
    squared: Array = _off(predictions, labels) ** 2
    return squared


def _mean(sums: Array, labels: Array) -> Array:
    found: Array = sums[:, 0] / len(labels)
    return found
