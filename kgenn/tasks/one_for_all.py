"""A task, metric or threshold that is given once for several outputs must be one that each of them can have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kgenn.comma_list import option as named_option
from kgenn.diagnostics import KgennError, fail
from kgenn.ir.output_end import OutputEnd
from kgenn.tasks import TASKS
from kgenn.tasks.goal import NO_CHOICE, OPTIONS, Choice
from kgenn.tasks.guess import guess


def refuse_shared(ends: Mapping[str, OutputEnd], chosen: Mapping[str, Choice], given: Mapping[str, Any]) -> None:
    """Refuse what is given for all outputs and only some of them can have.

    What none of them can have as it ends is left to `goal`, which may find another task for all.

    Args:
        ends, chosen, given: as for `kgenn.tasks.labelled_goals.labelled_goals`.

    Raises:
        KgennError: KG401, with the outputs that can have it.
    """
    for option in OPTIONS:
        sharing = [name for name in ends if option in chosen.get(name, NO_CHOICE).shared]
        kinds = {name: _task(ends[name], chosen[name], given.get(name)) for name in sharing}
        fitting = [name for name in sharing if _has(kinds[name][0], ends[name], option, chosen[name])]
        if not fitting or len(fitting) == len(sharing):
            continue
        value = getattr(chosen[fitting[0]], option)
        others = (_why_not(name, option, ends[name], kinds[name]) for name in sharing if name not in fitting)
        what = f"{value} is for {_named(fitting, option, kinds)}; {', '.join(others)}"
        named = named_option(f"--{option}", dict.fromkeys(fitting, value))
        raise fail("KG401", option, what, f"name the output{'s' * (len(fitting) > 1)} that it is for: {named}")


def _named(names: list[str], option: str, kinds: Mapping[str, tuple[str, str]]) -> str:
    return ", ".join(name if option == "task" else f"{name} ({kinds[name][0]})" for name in names)


def _why_not(name: str, option: str, end: OutputEnd, kind: tuple[str, str]) -> str:
    """Return in words why an output cannot have what is given for all: the task itself, or that of the output."""
    task, guessed = kind
    return (
        f"not for {name}: {TASKS[task].mismatch(end)}"
        if option == "task"
        else f"{name} is {task} {guessed}".rstrip()
    )


def _task(end: OutputEnd, choice: Choice, labels: Any) -> tuple[str, str]:
    """Return the task of an output, and what gave it away, in words; empty where the user chose it."""
    if choice.task in TASKS:
        return str(choice.task), ""
    name, why = guess(end, labels)
    return name, f"(guessed: {why})"


def _has(task: str, end: OutputEnd, option: str, choice: Choice) -> bool:
    """Tell whether an output of a task can have what the user chose as one of the options."""
    kind = TASKS[task]
    if option == "task":
        return not kind.mismatch(end)
    if option == "metric":
        return choice.metric in {metric.name for metric in kind.metrics_of(end)}
    try:
        kind(end, choice.threshold)
    except KgennError:
        return False
    return kind.thresholded
