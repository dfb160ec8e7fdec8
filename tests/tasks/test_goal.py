"""The task of an output: guessed from how the model ends and from labels, chosen, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kgenn.diagnostics import KgennError
from kgenn.ir.output_activation import OutputActivation
from kgenn.ir.output_end import OutputEnd
from kgenn.tasks import TASKS
from kgenn.tasks.goal import Choice, choices, goal
from kgenn.tasks.guess import guess

pytestmark = pytest.mark.quick

LINEAR = ()
SIGMOID = (OutputActivation("sigmoid"),)
SOFTMAX = (OutputActivation("softmax", {"axis": -1}),)
TANH = (OutputActivation("tanh"),)
CLASS = np.array([0, 3, 1])
TRUTH = np.array([[0, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]])
VALUES = np.array([[0.5, -2, 1, 0]] * 3)


@pytest.mark.parametrize(
    ("shape", "activations", "labels", "task"),
    [
        ((4,), SOFTMAX, None, "classes"),
        ((4,), SOFTMAX, CLASS, "classes"),
        ((4,), LINEAR, None, "classes"),
        ((4,), LINEAR, CLASS, "classes"),
        ((4,), LINEAR, np.eye(4)[CLASS], "classes"),
        ((4,), LINEAR, VALUES, "regression"),
        ((4,), LINEAR, TRUTH, "regression"),
        ((4,), TANH, VALUES, "regression"),
        ((4,), SIGMOID, CLASS, "classes"),
        ((4,), SIGMOID, TRUTH, "multi-label"),
        ((4,), SIGMOID, None, "multi-label"),
        ((4,), SIGMOID, VALUES, "regression"),
        ((1,), SIGMOID, None, "binary"),
        ((1,), SIGMOID, np.array([0.2, 0.4, 0.1]), "regression"),
        ((1,), LINEAR, None, "regression"),
        ((1,), LINEAR, np.array([0, 1, 0]), "regression"),
        ((1,), SOFTMAX, None, "regression"),
        ((1, 1, 4), SOFTMAX, CLASS, "classes"),
        ((8, 8, 4), SOFTMAX, None, "segmentation"),
        ((8, 8, 4), LINEAR, np.zeros((3, 8, 8), int), "segmentation"),
        ((8, 8, 4), LINEAR, np.zeros((3, 8, 8, 4)), "regression"),
        ((8, 8, 1), SIGMOID, None, "segmentation"),
        ((8, 8, 1), SIGMOID, np.zeros((3, 8, 8), int), "segmentation"),
        ((8, 8, 1), SIGMOID, np.full((3, 8, 8, 1), 0.3), "regression"),
        ((8, 8, 3), SIGMOID, None, "multi-label"),
        ((64, 1), LINEAR, None, "regression"),
    ],
)
def test_a_task_is_guessed_from_the_end_of_the_model_and_the_labels(
    shape: tuple[int, ...], activations: Any, labels: Any, task: str
) -> None:
    found = goal(OutputEnd(shape, activations), labels=labels)
    assert found.task.name == task
    assert found.in_words().startswith(f"{task} (guessed: ends")
    if labels is not None:
        assert len(found.task.labels(labels, 3, "labels")) == 3


@pytest.mark.parametrize("activations", [LINEAR, SIGMOID])
def test_a_map_in_the_shape_of_an_input_is_a_reconstruction(activations: Any) -> None:
    end = OutputEnd((8, 8, 1), activations, like_input=True)
    assert guess(end)[0] == guess(end, np.full((2, 8, 8, 1), 0.4))[0] == "reconstruction"
    assert guess(OutputEnd((4,), activations, like_input=True))[0] != "reconstruction"


@pytest.mark.parametrize(
    ("end", "choice", "task"),
    [
        (OutputEnd((4,)), Choice(metric="mse"), "regression"),
        (OutputEnd((4,)), Choice(metric="r2"), "regression"),
        (OutputEnd((8, 8, 2), SIGMOID), Choice(metric="mean-iou"), "segmentation"),
        (OutputEnd((8, 8, 2)), Choice(metric="psnr"), "reconstruction"),
        (OutputEnd((1,)), Choice(threshold=0.0), "binary"),
        (OutputEnd((4,)), Choice(threshold=0.0), "multi-label"),
        (OutputEnd((4,)), Choice(metric="subset-accuracy", threshold=0.0), "multi-label"),
    ],
)
def test_a_metric_or_a_threshold_says_the_task_where_the_user_does_not(
    end: OutputEnd, choice: Choice, task: str
) -> None:
    found = goal(end, choice)
    assert found.task.name == task
    assert choice.metric in (None, found.metric.name)


@pytest.mark.parametrize(
    ("end", "choice", "words"),
    [
        (OutputEnd((4,)), Choice("class"), "classes"),
        (OutputEnd((4,)), Choice("binary"), "has 4"),
        (OutputEnd((1,)), Choice("classes"), "has one"),
        (OutputEnd((4,)), Choice("segmentation"), "maps"),
        (OutputEnd((1,)), Choice("binary"), "threshold=0 for logits"),
        (OutputEnd((4,)), Choice("classes", threshold=0.5), "has none"),
        (OutputEnd((2, 2, 3)), Choice("segmentation", threshold=0.5), "largest is the class"),
        (OutputEnd((4,)), Choice("classes", "mse"), "has no metric"),
        (OutputEnd((4,)), Choice(metric="f2"), "has no metric"),
    ],
)
def test_what_an_output_cannot_have_is_refused(end: OutputEnd, choice: Choice, words: str) -> None:
    with pytest.raises(KgennError, match="KG401") as caught:
        goal(end, choice)
    assert words in str(caught.value)


def test_choices_are_for_all_outputs_or_by_their_names() -> None:
    found = choices(("a", "b"), "regression", {"b": "r2"}, {"a": 0.5})
    assert found == {"a": Choice("regression", None, 0.5), "b": Choice("regression", "r2")}
    for given in ({"task": {"c": "classes"}}, {"task": 3}, {"threshold": "x"}, {"threshold": True}):
        with pytest.raises(KgennError, match="KG401"):
            choices(("a", "b"), **given)  # type: ignore[arg-type]


def test_a_choice_stands_over_the_stored_one() -> None:
    stored = Choice("binary", "f1", 0.3)
    assert Choice().over(stored) == stored
    assert Choice(threshold=0.0).over(stored) == Choice("binary", "f1", 0.0)
    assert Choice("regression").over(stored) == Choice("regression")


ODD: list[tuple[str, tuple[int, ...], Any]] = [
    ("binary", (1,), np.array([0, 1, 2])),
    ("binary", (1,), np.array([0, 1])),
    ("binary", (1,), np.array([0.5, 1, 0])),
    ("binary", (1,), np.array([np.nan, 1, 0])),
    ("multi-label", (4,), CLASS),
    ("multi-label", (4,), TRUTH * 2),
    ("multi-label", (4,), TRUTH[:, :3]),
    ("segmentation", (2, 2, 3), np.zeros((3, 2, 3))),
    ("segmentation", (2, 2, 3), np.full((3, 2, 2), 3)),
    ("segmentation", (2, 2, 3), np.full((3, 2, 2), -1)),
    ("segmentation", (2, 2, 3), np.full((3, 2, 2), 0.5)),
    ("segmentation", (2, 2, 3), np.full((3, 2, 2), np.nan)),
    ("segmentation", (2, 2, 1), np.full((3, 2, 2), 2)),
    ("regression", (4,), CLASS),
    ("regression", (4,), np.full((3, 4), np.nan)),
    ("regression", (4,), np.full((3, 4), np.inf)),
    ("regression", (1,), np.array(["1", "2", "3"])),
    ("reconstruction", (2, 2, 1), np.full((3, 2, 2), 255, np.uint8)),
    ("reconstruction", (2, 2, 1), np.zeros((3, 2, 3))),
    ("classes", (4,), np.array([0, 1, 4])),
    ("classes", (4,), None),
]


@pytest.mark.parametrize(("name", "shape", "labels"), ODD)
def test_labels_that_are_none_of_the_task_are_refused(name: str, shape: tuple[int, ...], labels: Any) -> None:
    task = TASKS[name](OutputEnd(shape, SIGMOID))
    with pytest.raises(KgennError, match="KG607"):
        task.labels(labels, 3, "labels")


@pytest.mark.parametrize(
    ("name", "shape", "given", "labels"),
    [
        ("binary", (1,), np.array([[True], [False], [True]]), np.array([1, 0, 1])),
        ("binary", (1, 1, 1), np.array([1.0, 0, 1]), np.array([1, 0, 1])),
        ("segmentation", (1, 2, 2), np.eye(2)[[[[0, 1]], [[1, 1]]]], np.array([[[0, 1]], [[1, 1]]])),
        ("segmentation", (1, 2, 1), np.array([[0, 1], [1, 1]]), np.array([[[0, 1]], [[1, 1]]])),
        ("segmentation", (2, 1, 3), np.array([[[[0]], [[2]]]]), np.array([[[0], [2]]])),
        ("regression", (1,), np.array([1, 2]), np.array([[1.0], [2.0]])),
        ("reconstruction", (2, 2, 1), np.ones((1, 2, 2)), np.ones((1, 2, 2, 1))),
    ],
)
def test_labels_may_lack_axes_of_length_1(name: str, shape: tuple[int, ...], given: Any, labels: Any) -> None:
    found = TASKS[name](OutputEnd(shape, SIGMOID)).labels(given, len(given), "labels")
    assert np.array_equal(found, labels)
    assert found.dtype == labels.dtype


@pytest.mark.parametrize(
    ("end", "metric", "known"),
    [
        (OutputEnd((3,), (OutputActivation("softmax", {"axis": -1}),)), "f1", "classes"),
        (OutputEnd((3,)), "f1", "classes"),
        (OutputEnd((1,)), "f1", "regression"),
        (OutputEnd((3,)), "rmse", "classes"),
    ],
)
def test_a_metric_that_only_a_threshold_would_admit_is_one_that_the_guess_lacks(
    end: OutputEnd, metric: str, known: str
) -> None:
    with pytest.raises(KgennError, match=f"KG401.*the task {known} has no metric '{metric}'"):
        goal(end, Choice(metric=metric))
    if metric == "f1":
        assert goal(end, Choice(metric=metric, threshold=0.0)).metric.name == "f1"
