"""What is asked of the outputs of a model on a data set: the goal of each, and its labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Array
from kgenn.ir.output_end import OutputEnd
from kgenn.ir.samples import Samples
from kgenn.tasks.goal import OPTIONS, Choice, Goal, goal
from kgenn.tasks.one_for_all import refuse_shared
from kgenn.tasks.reconstruction import Reconstruction

# The entry of a network's origin with what the user chose.
TASKS_ENTRY = "tasks"


@dataclass(frozen=True, eq=False)
class LabelledGoals:
    """The goals of all outputs, and the labels of those that have any.

    Attributes:
        goals: by the names of the outputs, in order.
        labels: by the names of some, as their tasks have them, shape (N, *label shape) each.
    """

    goals: Mapping[str, Goal]
    labels: Mapping[str, Array]

    def part(self, start: int, count: int) -> dict[str, Array]:
        """Return the labels of some samples."""
        return {name: own[start : start + count] for name, own in self.labels.items()}


def labelled_goals(
    ends: Mapping[str, OutputEnd],
    chosen: Mapping[str, Choice],
    given: Mapping[str, Any],
    count: int,
    need_labels: bool = True,
) -> LabelledGoals:
    """Return the goals of a model's outputs with their labels.

    Args:
        ends: of the outputs by their names, in order.
        chosen: what the user chose, for some.
        given: labels as the user gave them, of some.
        count: of the samples.
        need_labels: else they only help to guess the tasks.

    Raises:
        KgennError: KG401 for what an output cannot have, KG607 for labels that are none of its task.
    """
    refuse_shared(ends, chosen, given)
    goals = {name: _goal(name, ends, chosen.get(name), given.get(name)) for name in ends}
    if not need_labels:
        return LabelledGoals(goals, {})
    where = "labels of {}" if len(ends) > 1 else "labels"
    return LabelledGoals(goals, {n: goals[n].task.labels(y, count, where.format(n)) for n, y in given.items()})


def _goal(name: str, ends: Mapping[str, OutputEnd], choice: Choice | None, labels: Any) -> Goal:
    """Return the goal of an output; an error about an option of one of several has its name."""
    try:
        return goal(ends[name], choice, labels, f"output {name}")
    except KgennError as error:
        if len(ends) == 1:
            raise
        named = (replace(d, where=f"{d.where} of {name}") if d.where in OPTIONS else d for d in error.diagnostics)
        raise KgennError(named) from error


def or_input(
    given: Mapping[str, Any], ends: Mapping[str, OutputEnd], chosen: Mapping[str, Choice], samples: Samples
) -> dict[str, Any]:
    """Return labels, with the input as those of a reconstruction that the user asks for without any.

    Args:
        given, ends, chosen: as for `labelled_goals`.
        samples: of the model; of several inputs only one may have the output's shape.
    """
    found = dict(given)
    for name, end in ends.items():
        alike = [array for array in samples.arrays.values() if array.shape[1:] == end.shape]
        asked = name in chosen and chosen[name].task == Reconstruction.name
        if name not in given and asked and len(alike) == 1:
            found[name] = alike[0]
    return found


def stored(origin: Mapping[str, Any]) -> dict[str, Choice]:
    """Return what the origin of a network records that the user chose for its outputs.

    Raises:
        ValueError: where it is not what `record` returned.
    """
    entries = origin.get(TASKS_ENTRY, {})
    if not isinstance(entries, Mapping):
        raise ValueError("tasks is of another type than kgenn writes")
    return {name: Choice.from_dict(entry) for name, entry in entries.items()}


def record(chosen: Mapping[str, Choice]) -> dict[str, Any]:
    """Return what a network's origin keeps of the user's choices: an entry for tasks, or nothing."""
    made = {name: own.to_dict() for name, own in chosen.items() if own != Choice()}
    return {TASKS_ENTRY: made} if made else {}


def over(chosen: Mapping[str, Choice], before: Mapping[str, Choice]) -> dict[str, Choice]:
    """Return choices, with earlier ones where they leave something open."""
    names = {**before, **chosen}
    return {name: chosen.get(name, Choice()).over(before.get(name, Choice())) for name in names}
