"""What an output is for: its predictions, its labels, and the metrics that speak of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from kgenn.diagnostics import fail
from kgenn.ir.graph import Array
from kgenn.ir.output_end import ClassLayout, OutputEnd
from kgenn.tasks.metric import Metric

# Activations from 0 to 1 that say yes above 0.5.
SIGMOIDS = ("sigmoid", "hard_sigmoid", "sparse_sigmoid")


@dataclass(frozen=True)
class Task(ABC):
    """What an output of a model is for.

    Attributes:
        end: of the model.
        threshold: above it a value says yes; None where the task has none.
        name: as `--task` takes it.
        thresholded: it has a threshold.
        by_order: its predictions depend on the order of the values alone.
        agreed: what a network gives that agrees with its model, in words; empty where values only differ more or
            less.
        takes: its labels, in words.
    """

    end: OutputEnd
    threshold: float | None = None
    name: ClassVar[str]
    thresholded: ClassVar[bool] = False
    by_order: ClassVar[bool] = False
    agreed: ClassVar[str] = ""
    takes: ClassVar[str] = ""

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:  # noqa: B027
        """Refuse a threshold that the output cannot have, or its lack.

        Raises:
            KgennError: KG401.
        """

    @classmethod
    def mismatch(cls, end: OutputEnd) -> str:
        """Return why an output cannot have the task, in words; empty where it can."""
        return ""

    @classmethod
    @abstractmethod
    def metrics_of(cls, end: OutputEnd) -> tuple[Metric, ...]:
        """Return the metrics of an output with the task, the one that it is measured by first."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Return its metrics, the one that it is measured by first."""
        return self.metrics_of(self.end)

    @classmethod
    def needs_threshold(cls, end: OutputEnd) -> bool:
        """Tell whether an output can have the task with a threshold alone."""
        return False

    @property
    def classes(self) -> ClassLayout:
        """Return the classes that it predicts for a sample."""
        return ClassLayout(0, 0)

    @abstractmethod
    def predictions(self, values: Array) -> Array:
        """Return what values of an output, (..., size), say: shape (..., *label shape)."""

    @abstractmethod
    def labels(self, y: Any, count: int, where: str) -> Array:
        """Return labels as `predictions` has them, shape (count, *label shape).

        Args:
            where: what has the labels, for messages.

        Raises:
            KgennError: KG607 where they are no labels of the task.
        """

    def same(self, one: Array, other: Array) -> Array | None:
        """Return the share of equal predictions of each sample, shape (N,).

        None where values only differ more or less.

        Args:
            one, other: predictions, shape (N, *label shape).
        """
        shares: Array = (one == other).reshape(len(one), -1).mean(axis=1)
        return shares

    def confidence(self, linear: Array) -> Array | None:
        """Return how sure values are of their class, in (0, 1], shape (...); of several that of the least sure.

        None where there is no class to be sure of.

        Args:
            linear: what the model's last weights give, shape (..., size).
        """
        return None


class Thresholded(Task):
    """A task whose values say yes above a threshold: 0.5 of a sigmoid; of anything else the user knows it."""

    thresholded = True

    @classmethod
    def needs_threshold(cls, end: OutputEnd) -> bool:
        return end.last not in SIGMOIDS

    def check(self) -> None:
        if self.threshold is None and self.needs_threshold(self.end):
            what = f"the task {self.name} needs a threshold, because the output does not end in a sigmoid"
            advice = "pass --threshold 0 for logits, or what the model was trained for"
            raise fail("KG401", "threshold", what, advice)

    @property
    def above(self) -> float:
        """Return the threshold."""
        return 0.5 if self.threshold is None else self.threshold

    def sure(self, linear: Array) -> Array | None:
        """Return how sure the least sure of some values is, in (0, 1], shape (...); None without a sigmoid's 0.5.

        Args:
            linear: what the model's last weights give, shape (..., size).
        """
        if self.end.last != "sigmoid" or self.threshold not in (None, 0.5):
            return None
        found: Array = 1 / (1 + np.exp(-np.abs(linear).min(axis=-1)))
        return found

    def yes(self, values: Array) -> Array:
        """Return 1 for each value above the threshold, and else 0."""
        found: Array = (values > self.above).astype(np.int64)
        return found
