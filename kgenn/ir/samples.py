"""Samples: for each input of a model an array with a row for each sample."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Sized
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kgenn.diagnostics import fail
from kgenn.ir.given import given_array
from kgenn.ir.naming import ALL_NAMED, Naming

Array = NDArray[Any]
Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples of a model or a network.

    Attributes:
        arrays: by the names of the inputs, in their order, each of shape (N, ...).
    """

    arrays: Mapping[str, Array]

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values()), ()))

    def __getitem__(self, rows: slice | Array) -> Samples:
        return Samples({name: np.asarray(array[rows]) for name, array in self.arrays.items()})

    def single(self) -> Samples:
        """Return the samples in float32."""
        return Samples({name: np.asarray(array, np.float32) for name, array in self.arrays.items()})


# What users give: the array of the only input, arrays in the order of the inputs, or by their names.
SamplesLike = Samples | Array | Sequence[Array] | Mapping[str, Array]


def samples_of(
    x: SamplesLike, shapes: Mapping[str, Shape], where: str, code: str = "KG602", naming: Naming = ALL_NAMED
) -> Samples:
    """Return arrays as samples of some inputs, as `keras.Model.predict` takes them.

    Args:
        x: of one input the array, or a list of its samples; of several a list or tuple of arrays, or a mapping.
        shapes: of one sample, by the names of the inputs, in order.
        where: the model, for messages.
        code: of the diagnostics.
        naming: of the model; a list is refused where its order says nothing.

    Raises:
        KgennError: where the arrays are none, are not those of the inputs, or differ in their number of samples.
    """
    named = x.arrays if isinstance(x, Samples) else x if isinstance(x, Mapping) else None
    if named is not None:
        given: Mapping[str, Any] | None = naming.of_inputs(named, shapes)
    else:
        given = None if naming.by_name and len(shapes) > 1 else _in_order(x, shapes)
    if given is None or given.keys() != shapes.keys():
        what = _in_words(x) if given is None else _mismatch(given, shapes)
        known = f"; the model has {_inputs(shapes)}" * (len(shapes) > 1)
        raise fail(code, where, what + known, _advice(shapes, naming, _nested(x)))
    arrays = {n: given_array(given[n], place_of(where, n, shapes), code) for n in shapes}
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{count:,} of {name}" for name, count in counts.items())
        raise fail(code, where, f"numbers of samples differ: {found}", "give as many samples of each input")
    return Samples(arrays)


def place_of(where: str, name: str, inputs: Sized) -> str:
    """Return what the data of an input are called in messages: of several inputs, by the input too."""
    return where if len(inputs) == 1 else f"{where}, {name}"


def _nested(x: Any) -> bool:
    """Tell whether what a user gives has mappings or lists of arrays within."""
    parts = x.values() if isinstance(x, Mapping) else x if isinstance(x, list | tuple) else ()
    return any(isinstance(p, Mapping) or (isinstance(p, list | tuple) and _has_arrays(p)) for p in parts)


def _has_arrays(part: Sequence[Any]) -> bool:
    return any(hasattr(entry, "shape") and np.ndim(entry) > 0 for entry in part)


def _advice(shapes: Mapping[str, Shape], naming: Naming, nested: bool) -> str:
    """Return how arrays are given."""
    if len(shapes) == 1:
        return f"give one array, or a mapping from {next(iter(shapes))}"
    if nested:
        return f"flatten them: give one mapping from the inputs {', '.join(shapes)}"
    if naming.by_name:
        return (
            "give a mapping from these names: the model has a dictionary of inputs, for which Keras takes no list"
        )
    return "give an array for each input: in this order, or by these names"


def _inputs(names: Collection[str]) -> str:
    return f"the input{'s' * (len(names) != 1)} {', '.join(names)}"


def _mismatch(given: Collection[str], shapes: Collection[str]) -> str:
    """Return how the names of arrays differ from those of inputs."""
    missing, odd = [n for n in shapes if n not in given], [n for n in given if n not in shapes]
    there = f"got the array{'s' * (len(given) != 1)} {', '.join(given)}" if given else "got none"
    if not missing:
        return f"{there}, of which {', '.join(odd)} {'is not an input' if len(odd) == 1 else 'are not inputs'}"
    return f"no array for {_inputs(missing)}, {there}"


def shapes_in(
    x: SamplesLike,
    names: Sequence[str],
    where: str,
    code: str = "KG602",
    frames: bool = False,
    naming: Naming = ALL_NAMED,
) -> dict[str, Shape]:
    """Return the shape of one sample of each of some inputs, whose sizes are not known yet.

    Args:
        frames: a sample has a frame for each timestep; return the shape of one.

    Raises:
        KgennError: as `samples_of`.
    """
    unknown: dict[str, Shape] = dict.fromkeys(names, ())
    first = 2 if frames else 1
    found = samples_of(x, unknown, where, code, naming).arrays
    return {name: np.shape(array)[first:] for name, array in found.items()}


def _in_order(x: Any, shapes: Mapping[str, Shape]) -> Mapping[str, Any] | None:
    """Return arrays in the order of the inputs by their names; None where their number differs."""
    if isinstance(x, list | tuple) and len(x) == len(shapes):
        batches = (_rank(array) == len(shape) + 1 for array, shape in zip(x, shapes.values(), strict=True))
        if len(shapes) > 1 or all(batches):
            return dict(zip(shapes, x, strict=True))
    return dict.fromkeys(shapes, x) if len(shapes) == 1 else None


def _rank(x: Any) -> int:
    """Return the number of axes of what may be an array; −1 of what NumPy makes none of."""
    try:
        return np.ndim(x)
    except ValueError:
        return -1


def _in_words(x: Any) -> str:
    if isinstance(x, list | tuple):
        return f"got a {type(x).__name__} of {len(x)} array{'s' * (len(x) != 1)}"
    return f"got one array of shape {x.shape}" if hasattr(x, "shape") else f"got one {type(x).__name__}"


def refuse_shape(found: Shape, expected: Shape, where: str, code: str = "KG602", more: str = "") -> None:
    """Refuse samples of another shape than that of an input, with what makes them fit where that is plain.

    Args:
        found: of the array, the axis of the samples first.
        expected: of one sample.
        where: the model or the input, for messages.
        more: what else to say of the array that is to be given.

    Raises:
        KgennError: of the code.
    """
    if found[1:] != expected:
        what = f"takes samples of shape {expected}, got an array of shape {found}"
        raise fail(code, where, what, advice_on_shape(found, expected, more))


def advice_on_shape(found: Shape, expected: Shape, more: str = "") -> str:
    """Return what makes an array samples of a shape, or which array to give; see `refuse_shape`."""
    batch = f"give an array of shape ({', '.join(map(str, ('N', *expected)))}{',' * (not expected)}){more}"
    return _reshaping(found, expected) or batch


def _reshaping(found: Shape, expected: Shape) -> str:
    """Return what turns an array into samples of a shape; empty where nothing plain does."""
    if found == expected:
        return "this is one sample: pass x[None]"
    if (*found, 1) == expected:
        return "this is one sample without the axis of the channel: pass x[None, ..., None]"
    if (*found[1:], 1) == expected:
        return "add the axis of the channel: x[..., None]"
    if len(expected) > 1 and found[1:] == (expected[-1], *expected[:-1]):
        return "move the channels to the end: numpy.moveaxis(x, 1, -1)"
    if len(found) == 2 and found[1] == prod(expected):
        return f"the values are in one row: x.reshape(-1, {', '.join(map(str, expected))})"
    return ""
