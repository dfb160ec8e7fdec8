"""Set the sizes of a model's input that its file leaves open, as in (None, 4).

Only the input of the outermost model has a size of its own: that of a nested model follows from its call.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kgenn.diagnostics import KgennError, fail
from kgenn.frontend.model_config import LayerEntry, ModelEntry
from kgenn.ir.graph import Graph, Shape
from kgenn.ir.words import times
from kgenn.layers.config import LARGEST_INTEGER, MOST_AXES
from kgenn.layers.read_shape import Axes, declared_axes, shape_key, with_sizes

# What a wrong input shape leads to: arrays of another shape, layers that do not fit, more values than kgenn reads.
_OF_SHAPE = ("KG106", "KG108", "KG110")


@dataclass(frozen=True)
class Samples:
    """A data set whose samples have the shape that the model takes.

    Attributes:
        name: of the file, for messages.
        shape: returns the shape of one sample; called only where the model leaves a size open.
    """

    name: str
    shape: Callable[[], Shape]


@dataclass(frozen=True)
class InputShape:
    """Where the sizes of an input come from that a model leaves open.

    Attributes:
        given: the shape of one sample as the user gave it, which must agree with the model's; or None.
        samples: the data set that decides where nothing was given; or None.
    """

    given: Shape | None = None
    samples: Samples | None = None

    @classmethod
    def of(cls, given: Sequence[int] | None, samples: Samples | None = None) -> InputShape:
        """Check the shape that the user gave.

        Raises:
            KgennError: KG401 where it is no shape.
        """
        return cls(None if given is None else _checked(given), samples)


def sized(model: ModelEntry, shape: InputShape, source: str) -> tuple[ModelEntry, str]:
    """Return a model whose input has the sizes that were left open, and where they came from.

    A size that nobody knows stays open; reading the input layer then raises KG109.

    Args:
        source: the file's name, for messages.

    Returns:
        The model, and a note; the note is empty where the model has all sizes itself.

    Raises:
        KgennError: KG112 where the shape given contradicts the model, KG602 where the samples do.
    """
    inputs = _inputs(model)
    if len(model.inputs) > 1 and (shape.given is not None or any(_is_open(entry) for entry in inputs)):
        names = ", ".join(ref.layer for ref in model.inputs)
        what = f"has the inputs {names}; kgenn sets open sizes of models with one input"
        raise fail("KG112", source, what, "build a model with one input, and copy the weights")
    if len(model.inputs) != 1 or not inputs:
        return model, ""
    (entry,) = inputs
    axes = declared_axes(entry.options)
    sizes, origin = _sizes(axes, shape, f"{source}: {entry.name} (InputLayer)")
    if sizes is None or axes == sizes:
        return model, ""
    return _with(
        model, entry, sizes
    ), f"{entry.name}: takes samples of {times(sizes)}, {origin}; the model leaves a size open"


def _inputs(model: ModelEntry) -> list[LayerEntry]:
    """Return the input layers of a model whose config has a shape, open or not."""
    names = {ref.layer for ref in model.inputs}
    return [entry for entry in model.layers if entry.name in names and _has_shape(entry)]


def _has_shape(entry: LayerEntry) -> bool:
    try:
        declared_axes(entry.options)
    except ValueError:
        return False
    return entry.class_name == "InputLayer"


def _is_open(entry: LayerEntry) -> bool:
    axes = declared_axes(entry.options)
    return axes is None or None in axes


def agreeing(graph: Graph, shape: InputShape) -> Graph:
    """Return a graph, whose sizes are all known, after comparing a shape with its input's.

    Raises:
        KgennError: KG112 where they differ.
    """
    if shape.given is not None and len(graph.inputs) == 1 and graph.input_shape != shape.given:
        raise _contradiction(graph.input_shape, shape.given, graph.name)
    return graph


def reconsidered(error: KgennError, note: str) -> KgennError:
    """Return the error of a model that does not fit together, or is too large, with the input shape as a reason.

    Args:
        note: of `sized`; where it is empty, the shape is the model's own, and the error stays as it is.
    """
    if not note:
        return error
    remedy = f"; or give another input shape ({note})"
    return KgennError(replace(d, help=d.help + remedy) if d.code in _OF_SHAPE else d for d in error.diagnostics)


def _sizes(axes: Axes, shape: InputShape, where: str) -> tuple[Shape | None, str]:
    """Return the sizes of all axes where somebody knows them, and who does."""
    if shape.given is not None:
        if not _agree(axes, shape.given):
            raise _contradiction(axes, shape.given, where)
        return shape.given, "as given"
    if shape.samples is None or (axes is not None and None not in axes):
        return None, ""
    found = shape.samples.shape()
    sizes = next((sizes for sizes in _readings(axes, found) if _agree(axes, sizes)), None)
    if sizes is None or 0 in sizes:
        what = f"has samples of {found}; the model takes {_keras(axes)}"
        raise fail("KG602", shape.samples.name, what, "reshape the data")
    return sizes, f"as in {shape.samples.name}"


def _readings(axes: Axes, found: Shape) -> list[Shape]:
    """Return the shapes that samples may have: their own, and with a channel axis of length 1 that they lack."""
    if not axes:
        return [found]
    with_channel = ((axes[-1], (*found, 1)), (axes[0], (1, *found)))
    return [found, *(shape for axis, shape in with_channel if axis == 1)]


def _agree(axes: Axes, sizes: Shape) -> bool:
    if axes is None:
        return True
    pairs = zip(axes, sizes, strict=False)
    return len(axes) == len(sizes) and all(axis in (None, size) for axis, size in pairs)


def _contradiction(axes: Axes, given: Shape, where: str) -> KgennError:
    assert axes is not None, "an input of any shape contradicts none"
    what = f"takes samples of {_keras(axes)}, which the input shape given, {_keras(given)}, contradicts"
    example = ",".join(map(str, with_sizes(axes)))
    remedy = (
        f"give every axis but the batch, as in {example}" if None in axes else f"leave it out, or give {example}"
    )
    return fail("KG112", where, what, remedy)


def _keras(axes: Axes) -> str:
    """Return a shape as Keras prints it."""
    return "any shape" if axes is None else str(tuple(axes))


def _with(model: ModelEntry, entry: LayerEntry, sizes: Shape) -> ModelEntry:
    options = {**entry.options, shape_key(entry.options): [None, *sizes]}
    layers = (replace(e, options=options) if e is entry else e for e in model.layers)
    return replace(model, layers=tuple(layers))


def _checked(given: Any) -> Shape:
    try:
        sizes = tuple(operator.index(size) for size in given)
    except TypeError:
        sizes = ()
    if not 1 <= len(sizes) <= MOST_AXES or not all(1 <= size <= LARGEST_INTEGER for size in sizes):
        remedy = "give the size of every axis but the batch, such as 64,64,3, in Python (64, 64, 3)"
        raise fail("KG401", "input shape", f"is {given!r}", remedy)
    return sizes
