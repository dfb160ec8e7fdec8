"""Set the sizes of a model's inputs that its file leaves open, as in (None, 4).

Only the inputs of the outermost model have sizes of their own: those of a nested model follow from its call.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kgenn.diagnostics import KgennError, fail, known_names
from kgenn.frontend.model_config import LayerEntry, ModelEntry
from kgenn.ir.given import given_sizes
from kgenn.ir.graph import Graph, Shape
from kgenn.ir.naming import Naming
from kgenn.ir.words import times
from kgenn.layers.config import LARGEST_INTEGER, MAX_AXES
from kgenn.layers.read_shape import Axes, declared_axes, shape_key, with_sizes

# What a wrong input shape leads to: arrays of another shape, layers that do not fit, more values than kgenn reads.
_OF_SHAPE = ("KG106", "KG108", "KG110")


# Returns the shape of a sample of each of some inputs, by their names.
ShapesOf = Callable[[Sequence[str], Naming], Mapping[str, Shape]]
# Shapes as users give them: of the only input, or of some by their names.
GivenShape = Sequence[int] | Mapping[str, Sequence[int]] | None


@dataclass(frozen=True)
class SampleShapes:
    """A data set whose samples have the shapes that the model takes.

    Attributes:
        name: of the file, for messages.
        of: called with the names of the model's inputs and what else there is to them, and only where the model
            leaves a size open.
    """

    name: str
    of: ShapesOf


@dataclass(frozen=True)
class InputShape:
    """Where the sizes of inputs come from that a model leaves open.

    Attributes:
        given: the shape of one sample as the user gave it, which must agree with the model's: of the only input,
            or of some by their names; or None.
        samples: the data set that decides where nothing was given; or None.
    """

    given: Shape | Mapping[str, Shape] | None = None
    samples: SampleShapes | None = None

    @classmethod
    def of(cls, given: GivenShape, samples: SampleShapes | None = None) -> InputShape:
        """Check the shapes that the user gave.

        Raises:
            KgennError: KG401 where one is no shape.
        """
        if isinstance(given, Mapping):
            return cls({name: checked_shape(shape) for name, shape in given.items()}, samples)
        return cls(None if given is None else checked_shape(given), samples)

    def given_for(self, names: Sequence[str], naming: Naming, where: str) -> Mapping[str, Shape]:
        """Return the shapes that were given, by the names of inputs.

        Raises:
            KgennError: KG112 where one is of no input, or it is not said of which.
        """
        if self.given is None:
            return {}
        if not isinstance(self.given, Mapping):
            if len(names) == 1:
                return {names[0]: self.given}
            what = f"has the inputs {', '.join(names)}, and one shape is given without a name"
            named = shlex.quote(f"{names[0]}={','.join(map(str, self.given))}")
            raise fail("KG112", where, what, f"name the input, as in --input-shape {named}")
        given = naming.of_inputs(self.given, names)
        for name in given:
            if name not in names:
                raise fail("KG112", where, f"has no input {name!r}", known_names(name, names))
        return given


def sized(model: ModelEntry, shape: InputShape, source: str) -> tuple[ModelEntry, str]:
    """Return a model whose inputs have the sizes that were left open, and where they came from.

    A size that nobody knows stays open; reading the input layer then raises KG109.

    Args:
        source: the file's name, for messages.

    Returns:
        The model, and a note; the note is empty where the model has all sizes itself.

    Raises:
        KgennError: KG112 where a shape given contradicts the model, KG602 where the samples do.
    """
    names, naming = model.input_names, model.naming
    given, inputs, notes = shape.given_for(names, naming, source), _inputs(model), []
    open_inputs = [name for name, entry in inputs.items() if _is_open(entry) and name not in given]
    seen = shape.samples.of(names, naming) if shape.samples is not None and open_inputs else {}
    for name, entry in inputs.items():
        axes, sizes, origin = declared_axes(entry.options), given.get(name), "as given"
        if sizes is not None and not _agree(axes, sizes):
            raise _contradiction(axes, sizes, f"{source}: {entry.name} (InputLayer)")
        if name in open_inputs and name in seen and shape.samples is not None:
            sizes, origin = _as_seen(axes, seen[name], shape.samples.name), f"as in {shape.samples.name}"
        if sizes is None or axes == sizes:
            continue
        model = _with(model, entry, sizes)
        notes.append(f"{name}: takes samples of {times(sizes)}, {origin}; the model leaves a size open")
    return model, "; ".join(notes)


def _inputs(model: ModelEntry) -> dict[str, LayerEntry]:
    """Return the input layers of a model whose config has a shape, open or not, by the names of the inputs."""
    names = {ref.layer: name for ref, name in zip(model.inputs, model.input_names, strict=True)}
    return {names[e.name]: e for e in model.layers if e.name in names and _has_shape(e)}


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
    """Return a graph, whose sizes are all known, after comparing shapes with its inputs'.

    Raises:
        KgennError: KG112 where they differ.
    """
    for name, given in shape.given_for(graph.inputs, graph.naming, graph.name).items():
        if graph.input_shapes[name] != given:
            raise _contradiction(graph.input_shapes[name], given, graph.name)
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


def _as_seen(axes: Axes, found: Shape, name: str) -> Shape:
    """Return the sizes of all axes as the samples of a data set have them."""
    sizes = next((sizes for sizes in _readings(axes, found) if _agree(axes, sizes)), None)
    if sizes is None or 0 in sizes:
        what = f"has samples of {found}; the model takes {_keras(axes)}"
        raise fail("KG602", name, what, _advice(axes, found))
    return sizes


def _advice(axes: Axes, found: Shape) -> str:
    """Return what to give in place of samples of a shape that does not fit, or what makes them fit."""
    if 0 not in found and found and _agree(axes, (*found[1:], found[0])):
        return "move the channels to the end: numpy.moveaxis(x, 1, -1)"
    return f"give samples of {_keras(axes)}, with any size from 1 on for None"


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


def checked_shape(given: Any) -> Shape:
    """Return the shape of a sample as a tuple.

    Raises:
        KgennError: KG401 where it is none.
    """
    sizes = given_sizes(given)
    if not 1 <= len(sizes) <= MAX_AXES or not all(1 <= size <= LARGEST_INTEGER for size in sizes):
        remedy = "give the size of every axis but the batch, such as 64,64,3, in Python (64, 64, 3)"
        raise fail("KG401", "input shape", f"is {given!r}", remedy)
    return sizes
