"""What the templates of generated programs say of an output, from one description."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from kgenn.backends.render import label
from kgenn.ir.graph import Shape
from kgenn.ir.network import Network
from kgenn.ir.output_activation import CPP, OVER_AXIS, PYTHON, Spelling
from kgenn.ir.output_end import ClassLayout
from kgenn.ir.scores import THRESHOLD, Head, heads_of
from kgenn.tasks.base import Thresholded
from kgenn.tasks.binary import Binary
from kgenn.tasks.classes import Classes
from kgenn.tasks.goal import goal
from kgenn.tasks.labelled_goals import stored
from kgenn.tasks.multi_label import MultiLabel
from kgenn.tasks.segmentation import Segmentation


@dataclass(frozen=True)
class AxisLayout:
    """An activation over an axis: its axis counted from the end, and how its values lie.

    Attributes:
        groups: of values; each has `length` of them.
        beside: how many groups lie between each other.
    """

    name: str
    axis: int
    groups: int
    length: int
    beside: int


@dataclass(frozen=True)
class OutputExpressions:
    """How scores become outputs.

    Attributes:
        before, after: expressions in `x`, one after the other, of the element-wise activations before and after
            the one over an axis; all are before where there is none.
        names: of all activations, for comments.
        binary: whether a single value says the class: above the threshold.
        task: what the output is for, as the user chose or as its end tells.
        predicts_class: a class of each sample is what the output is for.
        classes: that it predicts for a sample.
        maybe_values: it ends in no softmax, so that labels that are values make it a regression.
    """

    before: tuple[str, ...]
    over_axis: AxisLayout | None
    after: tuple[str, ...]
    names: str
    binary: bool
    threshold: float
    shape: Shape
    task: str
    predicts_class: bool
    classes: ClassLayout
    maybe_values: bool


def output_expressions(head: Head, spelling: Spelling = CPP) -> OutputExpressions:
    """Return how the scores of an output become its values."""
    shape, chain = head.shape, head.output.activations
    axes = [activation.axis for activation in chain]
    place = next((i for i, axis in enumerate(axes) if axis is not None), len(chain))
    over_axis = None
    if place < len(chain):
        axis = axes[place]
        assert axis is not None
        index = axis + len(shape)
        sizes = prod(shape[:index]), shape[index], prod(shape[index + 1 :])
        over_axis = AxisLayout(chain[place].name, axis, *sizes)
    choice = stored(head.network.origin).get(head.name)
    task = goal(head.end, choice).task
    return OutputExpressions(
        before=tuple(activation.code(spelling) for activation in chain[:place]),
        over_axis=over_axis,
        after=tuple(activation.code(spelling) for activation in chain[place + 1 :]),
        names=", ".join(activation.name for activation in chain),
        binary=head.is_binary or task.name == Binary.name,
        threshold=float(task.above) if isinstance(task, Thresholded) else THRESHOLD,
        shape=shape,
        task=task.name,
        predicts_class=task.name in (Classes.name, Binary.name),
        classes=task.classes,
        maybe_values=task.name == Classes.name and head.end.last not in OVER_AXIS and choice is None,
    )


def python_outputs(network: Network) -> list[dict[str, Any]]:
    """Return `OutputExpressions` of each output in Python with NumPy, and what else `python/outputs.py.j2` needs.

    Returns:
        factors: an expression of what turns scores after the last step into the model's units.
        first, num: which of the scores of a sample are the output's, and how many there are of all outputs:
            `num_scores`.
        label_sizes: how many numbers the labels of a sample may be.
        label_classes: how many classes each of the fewest such numbers tells apart; 0 where it is a value.
        suffix, title: of the functions' names, and what they give.
        uses_math: whether an expression uses the module `math`.
    """
    heads = heads_of(network)
    return [
        {
            **_python_output(head),
            "name": ascii(head.name),
            "suffix": f"_{number}" if len(heads) > 1 else "",
            "title": f"the model's output {label(head.name)}" if len(heads) > 1 else "the model's outputs",
        }
        for number, head in enumerate(heads)
    ]


def _python_output(head: Head) -> dict[str, Any]:
    code, found = output_expressions(head, PYTHON), head.factors(head.network.num_timesteps)
    num = head.readout.size
    numbers = repr(found.tolist()[0]) if len(found) == 1 else f"np.tile({found.tolist()}, {num // len(found)})"
    uses_math = any("math." in line for line in (*code.before, *code.after))
    places = {"first": head.columns.start, "num": num, "num_scores": head.network.num_scores}
    sizes = label_sizes(code.task, head.shape)
    classes = label_classes(code.task, head.shape)
    labels = {"label_sizes": sizes, "label_classes": classes}
    return vars(code) | {"factors": numbers, "uses_math": uses_math, **labels, **places}


def label_classes(task: str, shape: Shape) -> int:
    """Return how many classes a number of a label tells apart where there are no one-hot rows; 0 for a value."""
    classes = {Classes.name: prod(shape), Segmentation.name: max(shape[-1], 2), Binary.name: 2, MultiLabel.name: 2}
    return classes.get(task, 0)


def label_sizes(task: str, shape: Shape) -> tuple[int, ...]:
    """Return how many numbers the labels of a sample may be: one number for each class, or one-hot."""
    size = prod(shape)
    if task in (Classes.name, Binary.name):
        return tuple(sorted({1, size}))
    if task == Segmentation.name:
        return tuple(sorted({size // shape[-1], size})) if shape[-1] > 1 else (size,)
    return (size,)
