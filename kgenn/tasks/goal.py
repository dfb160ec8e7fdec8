"""What a user wants to know of each output: its task and metric, given or guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from kgenn.diagnostics import KgennError, fail, known_names
from kgenn.ir.output_end import OutputEnd
from kgenn.tasks import TASKS
from kgenn.tasks.base import Task
from kgenn.tasks.guess import guess
from kgenn.tasks.metric import Metric

# What users give: a value for every output, or values of some by their names.
Names: TypeAlias = str | Mapping[str, str] | None
Numbers: TypeAlias = float | Mapping[str, float] | None


@dataclass(frozen=True)
class Choice:
    """What the user chose for an output; None for what is left to kgenn.

    Attributes:
        task: a name of `TASKS`.
        metric: the name of a metric of the task.
        threshold: of a task that has one.
        shared: which of these were given once for several outputs; not stored.
    """

    task: str | None = None
    metric: str | None = None
    threshold: float | None = None
    shared: frozenset[str] = field(default=frozenset(), compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return what was chosen as JSON-able data."""
        chosen = {name: getattr(self, name) for name in OPTIONS}
        return {name: value for name, value in chosen.items() if value is not None}

    @staticmethod
    def from_dict(values: Any) -> Choice:
        """Return what `to_dict` gave.

        Raises:
            ValueError: where the data were not written by it.
        """
        kinds: dict[str, Any] = {"task": str, "metric": str, "threshold": (int, float)}
        known = isinstance(values, Mapping) and values.keys() <= kinds.keys()
        if not known or not all(isinstance(value, kinds[name]) for name, value in values.items()):
            raise ValueError("the task of an output is of another type than kgenn writes")
        return Choice(**values)

    def over(self, other: Choice) -> Choice:
        """Return the choice, with another one's where it leaves something open.

        A threshold and a metric belong to a task: another task leaves them behind.
        """
        if self.task is not None and self.task != other.task:
            return self
        threshold = other.threshold if self.threshold is None else self.threshold
        return Choice(self.task or other.task, self.metric or other.metric, threshold, self.shared)


# What there is to choose.
OPTIONS = ("task", "metric", "threshold")
# All is left to kgenn.
NO_CHOICE = Choice()


@dataclass(frozen=True)
class Goal:
    """The task of an output, and the metric that speaks of it.

    Attributes:
        guessed: what gave the task away, in words; empty where the user chose it.
    """

    task: Task
    metric: Metric
    guessed: str = ""

    def in_words(self) -> str:
        """Return the task, its threshold, and where it comes from."""
        threshold = f", threshold {self.task.threshold:g}" if self.task.threshold is not None else ""
        return f"{self.task.name}{threshold}" + (f" (guessed: {self.guessed})" if self.guessed else "")


def choices(
    outputs: Sequence[str],
    task: Names = None,
    metric: Names = None,
    threshold: Numbers = None,
) -> dict[str, Choice]:
    """Return what the user chose for each output.

    Args:
        outputs: their names.
        task, metric, threshold: for all outputs, or for some by their names.

    Raises:
        KgennError: KG401 for an unknown output, and for what is no text or number.
    """
    tasks = _named("task", task, outputs, str)
    metrics = _named("metric", metric, outputs, str)
    thresholds = _named("threshold", threshold, outputs, (int, float))
    given = zip(OPTIONS, (task, metric, threshold), strict=True)
    one_for_all = {option for option, value in given if value is not None and not isinstance(value, Mapping)}
    shared = frozenset(one_for_all if len(outputs) > 1 else ())
    return {name: Choice(tasks.get(name), metrics.get(name), thresholds.get(name), shared) for name in outputs}


def goal(end: OutputEnd, choice: Choice | None = None, labels: Any = None, where: str = "output") -> Goal:
    """Return the goal of an output, the task guessed where the user did not choose it.

    Args:
        labels: as the user gave them, for the guess.
        where: the output, for messages.

    Raises:
        KgennError: KG401 for a task, metric or threshold that the output cannot have.
    """
    choice = choice or NO_CHOICE
    name, guessed = (choice.task, "") if choice.task is not None else _guess(end, choice, labels)
    if name not in TASKS:
        raise fail("KG401", "task", f"is {name!r}", known_names(name, TASKS))
    kind = TASKS[name]
    if choice.threshold is not None and not kind.thresholded:
        known = ", ".join(n for n, task in TASKS.items() if task.thresholded)
        raise fail("KG401", "threshold", f"the task {name} has none", f"leave it out, or pass --task: {known}")
    if kind.mismatch(end):
        others = ", ".join(n for n, task in TASKS.items() if not task.mismatch(end))
        raise fail("KG401", "task", f"is {name} for {where}: {kind.mismatch(end)}", f"pass --task: {others}")
    task = kind(end, choice.threshold)
    return Goal(task, _metric(task, choice.metric), guessed)


def _guess(end: OutputEnd, choice: Choice, labels: Any) -> tuple[str, str]:
    """Return the guess, or the first task that has the chosen metric and threshold and takes the labels."""
    name, why = guess(end, labels)
    if _has(name, end, choice):
        return name, why
    others = (other for other, task in TASKS.items() if not task.mismatch(end) and _has(other, end, choice))
    other = next((other for other in others if _takes(other, end, choice, labels)), None)
    return (name, why) if other is None else (other, "by the metric" if choice.metric else "by the threshold")


def _has(name: str, end: OutputEnd, choice: Choice) -> bool:
    """Tell whether a task has what the user chose, and needs no threshold that the user did not give."""
    kind = TASKS[name]
    if choice.threshold is not None and not kind.thresholded:
        return False
    if choice.threshold is None and kind.thresholded and kind.needs_threshold(end):
        return False
    return choice.metric is None or choice.metric in {m.name for m in kind.metrics_of(end)}


def _takes(name: str, end: OutputEnd, choice: Choice, labels: Any) -> bool:
    """Tell whether labels are those of a task."""
    if labels is None or not np.ndim(labels):
        return True
    try:
        TASKS[name](end, choice.threshold).labels(labels, len(labels), "labels")
    except KgennError:
        return False
    return True


def _metric(task: Task, name: str | None) -> Metric:
    known = {metric.name: metric for metric in task.metrics}
    if name is None:
        return task.metrics[0]
    if name not in known:
        raise fail("KG401", "metric", f"the task {task.name} has no metric {name!r}", known_names(name, known))
    return known[name]


def _named(option: str, given: Any, outputs: Sequence[str], kind: Any) -> dict[str, Any]:
    named = given if isinstance(given, Mapping) else dict.fromkeys(outputs, given)
    for name, value in named.items():
        if name not in outputs:
            raise fail("KG401", f"{option} of {name}", "no such output", known_names(name, outputs))
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool) or value != value):
            words = "a name" if kind is str else "a number"
            raise fail("KG401", option, f"is {value!r}", f"give {words}, or a mapping from outputs")
    return dict(named)
