"""Samples: for each input of a model an array with a row for each sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kgenn.diagnostics import fail
from kgenn.ir.given import given_array

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


def samples_of(x: SamplesLike, shapes: Mapping[str, Shape], where: str, code: str = "KG602") -> Samples:
    """Return arrays as samples of some inputs, as `keras.Model.predict` takes them.

    Args:
        x: of one input the array, or a list of its samples; of several a list or tuple of arrays, or a mapping.
        shapes: of one sample, by the names of the inputs, in order.
        where: the model, for messages.
        code: of the diagnostics.

    Raises:
        KgennError: where the arrays are none, are not those of the inputs, or differ in their number of samples.
    """
    given = x.arrays if isinstance(x, Samples) else x if isinstance(x, Mapping) else _by_name(x, shapes)
    if given is None or given.keys() != shapes.keys():
        found = f"the array{'s' * (len(given) != 1)} {', '.join(given)}" if given is not None else _in_words(x)
        what = f"takes the input{'s' * (len(shapes) != 1)} {', '.join(shapes)}, got {found}"
        raise fail(code, where, what, "give an array for each input: in this order, or by these names")
    arrays = {name: given_array(given[name], where, code) for name in shapes}
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{count:,} of {name}" for name, count in counts.items())
        raise fail(code, where, f"takes as many samples of each input, got {found}", "give arrays of one length")
    return Samples(arrays)


def shapes_in(
    x: SamplesLike, names: Sequence[str], where: str, code: str = "KG602", frames: bool = False
) -> dict[str, Shape]:
    """Return the shape of one sample of each of some inputs, whose sizes are not known yet.

    Args:
        frames: a sample has a frame for each timestep; return the shape of one.

    Raises:
        KgennError: as `samples_of`.
    """
    unknown: dict[str, Shape] = dict.fromkeys(names, ())
    first = 2 if frames else 1
    return {name: np.shape(array)[first:] for name, array in samples_of(x, unknown, where, code).arrays.items()}


def _by_name(x: Any, shapes: Mapping[str, Shape]) -> Mapping[str, Any] | None:
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
        return f"{len(x)} array{'s' * (len(x) != 1)}"
    return f"one array of shape {x.shape}" if hasattr(x, "shape") else f"one {type(x).__name__}"


def refuse_shape(found: Shape, wanted: Shape, where: str, code: str = "KG602", more: str = "") -> None:
    """Refuse samples of another shape than that of an input, with what makes them fit where that is plain.

    Args:
        found: of the array, the axis of the samples first.
        wanted: of one sample.
        where: the model or the input, for messages.
        more: what else to say of the array that is to be given.

    Raises:
        KgennError: of the code.
    """
    if found[1:] != wanted:
        what = f"takes samples of shape {wanted}, got an array of shape {found}"
        batch = f"give an array of shape ({', '.join(map(str, ('N', *wanted)))}{',' * (not wanted)}){more}"
        raise fail(code, where, what, _reshaping(found, wanted) or batch)


def _reshaping(found: Shape, wanted: Shape) -> str:
    """Return what turns an array into samples of a shape; empty where nothing plain does."""
    if found == wanted:
        return "this is one sample: pass x[None]"
    if (*found, 1) == wanted:
        return "this is one sample without the axis of the channel: pass x[None, ..., None]"
    if (*found[1:], 1) == wanted:
        return "add the axis of the channel: x[..., None]"
    if len(wanted) > 1 and found[1:] == (wanted[-1], *wanted[:-1]):
        return "move the channels to the end: numpy.moveaxis(x, 1, -1)"
    if len(found) == 2 and found[1] == prod(wanted):
        return f"the values are in one row: x.reshape(-1, {', '.join(map(str, wanted))})"
    return ""
