"""Pictures of outputs: maps, signals and values are drawn, classes and labels are not."""

from __future__ import annotations

import numpy as np
import pytest

from kgenn.ir.output_activation import OutputActivation
from kgenn.ir.output_end import OutputEnd
from kgenn.metrics.compared_output import ComparedOutput, form_of
from kgenn.report.run_pictures import outputs_picture
from kgenn.tasks.goal import Choice, goal

SIGMOID = (OutputActivation("sigmoid"),)
CASES = [
    ("segmentation", (6, 5, 3), "map"),
    ("segmentation", (6, 5, 1), "map"),
    ("segmentation", (9, 3), "signal"),
    ("reconstruction", (6, 5, 1), "map"),
    ("reconstruction", (6, 5, 3), "map"),
    ("regression", (12, 2), "signal"),
    ("regression", (1, 1, 3), "points"),
    ("regression", (3,), "points"),
    ("classes", (3,), None),
    ("binary", (1,), None),
    ("multi-label", (4,), None),
]


def made(name: str, shape: tuple[int, ...], labelled: bool = True) -> ComparedOutput:
    task = goal(OutputEnd(shape, SIGMOID), Choice(name)).task
    values = np.random.default_rng(1).uniform(0, 1, (2, 6, int(np.prod(shape))))
    model, network = (task.predictions(own) for own in values)
    return ComparedOutput(task, model, network, model if labelled else None)


@pytest.mark.parametrize(("name", "shape", "form"), CASES)
def test_what_is_drawn_depends_on_the_task_and_the_shape(
    name: str, shape: tuple[int, ...], form: str | None
) -> None:
    assert form_of(made(name, shape)) == form


@pytest.mark.slow
@pytest.mark.parametrize("labelled", [True, False])
def test_several_outputs_stand_below_each_other_and_the_bytes_are_the_same_each_time(labelled: bool) -> None:
    found = {f"{n} {s}": made(n, s, labelled) for n, s, form in CASES if form is not None}
    image = {"x": np.random.default_rng(2).uniform(0, 1, (6, 6, 5, 1))}
    text = outputs_picture(found, image, "svg", "a $net$, T = 4").decode()
    assert text == outputs_picture(found, image, "svg", "a $net$, T = 4").decode()
    assert all(name.split()[0] in text for name in found)
    assert ("label" in text) == labelled
    assert outputs_picture(found, {}, "png", "t").startswith(b"\x89PNG")
