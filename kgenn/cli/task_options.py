"""The options that say what outputs are for: --task, --metric and --threshold, for all or one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from kgenn.cli.words import Known, listed, one_or_named
from kgenn.diagnostics import fail
from kgenn.tasks import TASKS

C = TypeVar("C", bound=Callable[..., Any])
NAMES = ("task", "metric", "threshold")


def task_flags(command: C) -> C:
    """Add the flags that say what outputs are for."""
    kinds = f"{', '.join(TASKS)}.  [default: guessed from the model's last activation and the labels]"
    flags = (
        ("--task", "[OUTPUT=]NAME,…", f"Task of an output: {kinds}"),
        (
            "--metric",
            "[OUTPUT=]NAME,…",
            "Metric of an output, such as accuracy, f1, mean-iou, mse, mae, r2 or psnr.",
        ),
        (
            "--threshold",
            "[OUTPUT=]NUMBER,…",
            "A value above it means yes.  [default: 0.5 for a sigmoid]",
        ),
    )
    for flag, metavar, words in reversed(flags):
        kind = Known(lambda: TASKS) if flag == "--task" else None
        command = click.option(flag, type=kind, callback=listed, multiple=True, metavar=metavar, help=words)(
            command
        )
    return command


def tasks_given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the task, metric and threshold that flags give: of all outputs, or of some by their names.

    Raises:
        KgennError: KG401 for both at once, and for a threshold that is no number.
    """
    found: dict[str, Any] = {name: _given(name, values.get(name, ())) for name in NAMES}
    thresholds = found["threshold"]
    if isinstance(thresholds, Mapping):
        found["threshold"] = {name: _number(text) for name, text in thresholds.items()}
    elif thresholds is not None:
        found["threshold"] = _number(thresholds)
    return found


def _given(name: str, texts: Sequence[str]) -> str | dict[str, str] | None:
    named = one_or_named(texts)
    if named is None:
        raise fail("KG401", f"--{name}", f"is given as {', '.join(texts)}", "give one, or one for each output")
    return named.get("", named) if named else None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise fail("KG401", "--threshold", f"is {text!r}", "give a number") from None
