"""Products of a tensor with a constant one along any axes, as transpositions around a matrix product."""

from __future__ import annotations

from math import prod

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.layers.dense import Dense
from kgenn.layers.pointwise import Pointwise
from kgenn.layers.shape import Permute, Reshape

Chain = tuple[Layer, ...]


def contraction(shape: Shape, labels: str, kernel: Array, kernel_labels: str, output: str) -> Chain:
    """Return the layers of einsum(f"{labels},{kernel_labels}->{output}", x, kernel).

    Axes of x that the kernel lacks are positions, those that the output lacks are summed over, and those in all
    three make a group each: the axes are brought into the order (positions, groups, sums), then multiplied.

    Args:
        shape: of x, without the batch axis.
        labels, output: of the axes of x and of the output, without the batch axis.

    Raises:
        ValueError: where a label is repeated or does not fit, or the kernel sums over an axis of its own.
    """
    sizes = dict(zip(labels, shape, strict=False))
    sizes.update({label: n for label, n in zip(kernel_labels, kernel.shape, strict=False) if label not in sizes})
    if len(labels) != len(shape) or len(kernel_labels) != kernel.ndim:
        raise ValueError(f"axes {labels!r} and {kernel_labels!r} are not those of {shape} and {kernel.shape}")
    if any(len(set(part)) != len(part) for part in (labels, kernel_labels, output)):
        raise ValueError("an equation with a label twice in one tensor")
    if any(sizes[label] != n for label, n in zip(kernel_labels, kernel.shape, strict=True)):
        raise ValueError(f"a kernel of shape {kernel.shape} does not fit an input of {shape}")
    if set(output) - set(sizes) or set(labels) - set(output) - set(kernel_labels):
        raise ValueError("an equation whose axes are not all in two of its tensors")
    positions = [label for label in labels if label not in kernel_labels]
    groups = [label for label in labels if label in kernel_labels and label in output]
    sums = [label for label in labels if label in kernel_labels and label not in output]
    new = [label for label in kernel_labels if label not in labels]
    if any(label not in output for label in new):
        raise ValueError("an equation that sums over an axis of the kernel alone")
    order = "".join((*groups, *sums, *new))
    ordered = kernel.transpose([kernel_labels.index(label) for label in order])
    count = [prod(sizes[label] for label in part) for part in (groups, sums, new)]
    blocks = ordered.reshape(count)
    product = Dense(blocks[0], None) if not groups else Pointwise(blocks)
    inner = tuple(sizes[label] for label in positions)
    given = (*inner, *(sizes[label] for label in (*groups, *new)))
    return (
        *_reordered(labels, "".join((*positions, *groups, *sums))),
        Reshape((*inner, count[0] * count[1])),
        product,
        Reshape(given),
        *_reordered("".join((*positions, *groups, *new)), output),
    )


def _reordered(labels: str, order: str) -> Chain:
    """Return the transposition from one order of axes to another, if one is needed."""
    return () if labels == order else (Permute(tuple(labels.index(label) for label in order)),)


def parted(equation: str, shape: Shape) -> tuple[str, str, str]:
    """Return the labels of an equation of two tensors, with the batch first, an ellipsis spelled out.

    Args:
        shape: of the first tensor, without the batch axis.

    Raises:
        ValueError: where it is none of two tensors.
    """
    left, arrow, output = equation.replace(" ", "").partition("->")
    first, comma, second = left.partition(",")
    spare = [letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if letter not in equation]
    if not arrow or not comma or "," in second:
        raise ValueError(f"the equation {equation!r}, which is not of two tensors")
    if "..." in first:
        missing = len(shape) + 1 - len(first.replace("...", ""))
        filling = "".join(spare[: max(0, missing)])
        first, second, output = (part.replace("...", filling) for part in (first, second, output))
    if not all(letter.isalpha() for letter in first + second + output):
        raise ValueError(f"the equation {equation!r}, which is not of letters")
    return first, second, output
