"""Read data sets: .npz or HDF5 files with samples and labels, or in the layout of keras.datasets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from math import prod
from numbers import Rational
from pathlib import Path
from typing import Any

import numpy as np

from kgenn.comma_list import option
from kgenn.data.array_names import ArrayNames
from kgenn.data.plausibility import Scales, scale_of, scale_warnings
from kgenn.diagnostics import Diagnostic, fail, known_names
from kgenn.ir.data_file import stored_arrays
from kgenn.ir.frames import Frames
from kgenn.ir.given import given_array
from kgenn.ir.graph import Array, Shape
from kgenn.ir.naming import ALL_NAMED, Naming
from kgenn.ir.rows import MAX_IN_MEMORY, Computed, Rows, batches, like_array
from kgenn.ir.samples import Samples, advice_on_shape, place_of, samples_of

# Digits of a scale's numerator and denominator: both are finite in float64.
DIGITS = 300
# Digits with a point, a fraction or a small exponent: Python's Fraction would compute any power of ten.
NUMBER = rf"(?:\d{{1,{DIGITS}}}(?:\.\d{{0,20}})?(?:e[+-]?\d{{1,2}})?|\.\d{{1,20}})"
SCALE = re.compile(rf"({NUMBER})(?:/({NUMBER}))?", re.IGNORECASE)

# How to pass integers.
AS_FLOATS = (
    "scale them as in training, kgenn.samples(x, shape, '1/255'), or pass x.astype('float32') where the model "
    "takes them as they are or scales them itself"
)
# Bytes of a value as the model takes it.
FLOAT32 = 4
# Labels as users give them: of the only output, of all in their order, or of some by their names.
LabelsLike = Array | Sequence[Array | None] | Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class Data:
    """Samples and, where there are any, labels.

    Attributes:
        x: N samples: of the only input, or of all.
        y: labels of the only output, N of them, or of some outputs by their names; or None.
        scale: what the user had `x` multiplied by, or None.
        warnings: what leaves that scale in doubt.
        scaled_floats: the inputs whose samples were floats, and were multiplied by a scale.
        frames: of which `x` is the mean, where inputs change with time.
    """

    x: Array | Samples
    y: LabelsLike | None
    scale: Scales = None
    scaled_floats: tuple[str, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    frames: Frames | None = None

    def __len__(self) -> int:
        return len(self.x)

    def timed(self, frames: Frames) -> Data:
        """Return the mean of frames in place of the samples."""
        return replace(self, x=frames.mean(), frames=frames)

    def limited(self, limit: int | None) -> Data:
        """Return the first `limit` samples."""
        return self if limit is None else self._rows(slice(limit))

    def chosen(self, indices: Array) -> Data:
        """Return the samples of these indices."""
        return self._rows(indices)

    def _rows(self, rows: slice | Array) -> Data:
        if isinstance(self.y, Mapping):
            return replace(self, x=self.x[rows], y={name: np.asarray(y)[rows] for name, y in self.y.items()})
        return replace(self, x=self.x[rows], y=None if self.y is None else np.asarray(self.y)[rows])

    def prepared(self, inputs: Mapping[str, Shape], scale: Scales, where: str) -> Data:
        """Return the samples as the model takes them, and what leaves the scale in doubt; see `prepare`.

        Args:
            inputs: of the model: the shape of one sample of each.
        """
        raw = samples_of(self.x, inputs, where).arrays
        ready: dict[str, Array] = {}
        own_warnings: list[Diagnostic] = []
        for name, shape in inputs.items():
            own = scale_of(scale, name)
            several = len(inputs) > 1
            place = place_of(where, name, inputs)
            ready[name] = prepared_rows(raw[name], shape, own, place, name * several)
            own_warnings.extend(scale_warnings(raw[name], own, place))
        floats = tuple(n for n in inputs if scale_of(scale, n) is not None and raw[n].dtype.kind == "f")
        return Data(Samples(ready), self.y, scale, scaled_floats=floats, warnings=tuple(own_warnings))


def load_data(
    path: Path,
    split: str | None = None,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    naming: Naming = ALL_NAMED,
    limit: int | None = None,
) -> Data:
    """Read an .npz or HDF5 file; samples larger than `MAX_IN_MEMORY` stay on disk, and are read batch by batch.

    Args:
        path: with an array of samples for each input and, perhaps, of labels for outputs; see
            `kgenn.data.array_names`.
        split: "train" or "test"; needed where the file has both.
        inputs, outputs, naming: of the model, where they are known; else there is one of each.
        limit: read the first samples alone.

    Raises:
        KgennError: KG601 where the file cannot be read or lacks the arrays, KG607 for labels that are no numbers,
            not one for each sample, or of no output.
    """
    known = ArrayNames(inputs, outputs, naming)
    try:
        with stored_arrays(path) as file:
            names = list(file)
            ending, found = known.samples_in(names, split, str(path))
            stored = {name: file[own] for name, own in found.items()}
            labels = known.labels_in(names, ending, found.values(), str(path))
            stored_labels = {name: file[own] for name, own in labels.items()}
            count = _count({found[name]: array.shape for name, array in stored.items()}, str(path))
            for name, array in stored_labels.items():
                _check_count(array.shape, count, labels[name], str(path))
            x = {name: like_array(array.rows(limit)) for name, array in stored.items()}
            y = {name: np.asarray(array.rows(limit)) for name, array in stored_labels.items()}
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        advice = "give an .npz or HDF5 file with x and y, such as numpy.savez(path, x=..., y=...) writes"
        raise fail("KG601", str(path), f"cannot be read: {reason}", advice) from error
    samples = Samples(x) if len(inputs) > 1 else next(iter(x.values()))
    found_labels = {name: np.asarray(given_array(array, str(path), "KG607")) for name, array in y.items()}
    if not found_labels:
        return Data(samples, None)
    return Data(samples, found_labels if len(outputs) > 1 else next(iter(found_labels.values())))


def _count(shapes: Mapping[str, Shape], where: str) -> int:
    """Return the number of samples; raise KG601 where arrays of samples differ in it, or are none.

    Args:
        shapes: of the arrays, by their names in the file.
    """
    for name, shape in shapes.items():
        if not shape:
            raise fail("KG601", where, f"has a single number as {name}", "give an array of samples")
    counts = {name: shape[0] for name, shape in shapes.items()}
    if len({*counts.values()}) > 1:
        found = ", ".join(f"{count:,} in {name}" for name, count in counts.items())
        raise fail(
            "KG601", where, f"has different numbers of samples: {found}", "give as many samples of each input"
        )
    return next(iter(counts.values()))


def _check_count(shape: Shape, num_samples: int, name: str, where: str) -> None:
    """Raise KG607 for stored labels without a row for each sample."""
    if shape[:1] != (num_samples,):
        what = f"has the labels {name} of shape {shape} for {num_samples:,} samples"
        raise fail("KG607", where, what, "give a label for each sample")


def labels_by_output(y: LabelsLike | None, outputs: Sequence[str], naming: Naming = ALL_NAMED) -> dict[str, Any]:
    """Return the labels of each output that has any, as the user gave them.

    Args:
        y: of the only output an array; of several a list in their order, None for one without labels, or a
            mapping from the names of some.
        outputs: their names, in order.
        naming: of the model; a list is refused where its order says nothing.

    Raises:
        KgennError: KG607 where they are not of these outputs.
    """
    if y is None:
        return {}
    if isinstance(y, Mapping):
        named: Mapping[str, Any] = y
    elif len(outputs) == 1:
        named = dict.fromkeys(outputs, y)
    elif isinstance(y, list | tuple) and len(y) == len(outputs) and not naming.outputs_by_name:
        named = dict(zip(outputs, y, strict=True))
    else:
        listed = isinstance(y, list | tuple) and naming.outputs_by_name
        what = f"are {'a list' if listed else 'of one output'}; the model has the outputs {', '.join(outputs)}"
        order = "by these names" if naming.outputs_by_name else "in this order, or by these names"
        raise fail("KG607", "labels", what, f"give labels for each: {order}")
    for name in named:
        if name not in outputs:
            raise fail("KG607", "labels", f"name the output {name!r}", known_names(name, outputs))
    return {name: named[name] for name in outputs if named.get(name) is not None}


def parse_scale(given: str | int | Rational, where: str = "--scale") -> Fraction:
    """Return a scale from a text such as "1/255", "1/127.5" or "0.5", or from a fraction.

    The text of the result is read as the same scale again.

    Args:
        where: the option, for messages.

    Raises:
        KgennError: KG401 where it is no positive number.
    """
    scale = Fraction(0)
    if isinstance(given, str):
        found = SCALE.fullmatch(given.strip())
        above, below = (Fraction(part or 1) for part in found.groups()) if found else (scale, scale)
        scale = above / below if below else scale
    elif isinstance(given, int | Rational) and not isinstance(given, bool):
        scale = Fraction(int(given.numerator), int(given.denominator))
    if scale <= 0 or max(scale.as_integer_ratio()) >= 10**DIGITS:
        text = ', or in Python the text "1/255"' if not isinstance(given, str) else ""
        raise fail("KG401", where, f"is {given!r}", f"give a positive number or fraction, such as 1/255{text}")
    return scale


def prepare(x: Array, shape: Shape, scale: Fraction | None, where: str, name: str = "") -> Array:
    """Return samples as the model takes them: float32, scaled, with a channel axis.

    x · scale is computed in float64 and rounded once, so that 1/255 gives what dividing by 255 gives.

    Args:
        x: shape (N, *shape), or without a channel axis of length 1.
        shape: of one sample as the model takes it.
        scale: needed for integers, where 1 takes them as they are.
        where: the file, for messages.
        name: of one of several inputs, for messages.

    Raises:
        KgennError: KG602 for another shape, KG604 for integers without a scale.
    """
    x = np.asarray(x)
    if x.shape[1:] != shape and 1 in (shape[-1], shape[0]) and x.size == len(x) * int(np.prod(shape)):
        squeezed = tuple(n for n in x.shape[1:] if n != 1)
        if squeezed == tuple(n for n in shape if n != 1):
            x = x.reshape(len(x), *shape)
    if x.shape[1:] != shape:
        advice = advice_on_shape(x.shape, shape)
        if shape in (x.shape[2:], (*x.shape[2:], 1)):
            advice = "compile with --frames if the samples change with time, or take the mean of their frames"
        raise fail("KG602", where, f"has samples of {x.shape[1:]}; the model takes {shape}", advice)
    if x.dtype.kind not in "biuf":
        raise fail("KG602", where, f"has values of type {x.dtype}", "give real numbers")
    if scale is None:
        _refuse_unscaled(x, where, name)
        return _single(x)
    with np.errstate(over="ignore"):
        scaled = x.astype(np.float64) * float(scale.numerator) / float(scale.denominator)
    return _single(scaled)


def prepared_rows(x: Array | Rows, shape: Shape, scale: Fraction | None, where: str, name: str = "") -> Array:
    """Return samples as `prepare` does: in memory, or as `Rows` where they are larger than `MAX_IN_MEMORY`."""
    if not isinstance(x, Rows) and len(x) * prod(shape) * FLOAT32 <= MAX_IN_MEMORY:
        return prepare(x, shape, scale, where, name)
    if scale is None:
        _refuse_unscaled(x, where, name)
    ready = partial(prepare, shape=shape, scale=scale, where=where, name=name)
    ready(np.asarray(x[:1]))  # refuses another shape, and what is no real number
    return like_array(Computed(x, ready, (len(x), *shape), np.float32))


def _refuse_unscaled(x: Array | Rows, where: str, name: str) -> None:
    """Raise KG604 for integers without a scale, with the option that gives one."""
    given, plain = (option("--scale", {name: scale}) for scale in ("1/255", "1"))
    refuse_integers(x, where, f"pass {given}, or {plain} if the model takes them as they are")


def refuse_integers(x: Array | Rows, where: str, help: str) -> None:
    """Refuse integers, of which nobody said how the model takes them.

    Raises:
        KgennError: KG604.
    """
    if np.issubdtype(np.asarray(x[:1]).dtype, np.integer):
        ends = [(int(batch.min(initial=0)), int(batch.max(initial=0))) for batch in batches(x)] or [(0, 0)]
        what = f"has integers of type {x.dtype} from {min(ends)[0]} to {max(high for _, high in ends)}"
        raise fail("KG604", where, what, help)


def _single(x: Array) -> Array:
    """Return values as float32; what lies beyond it is infinite, which encoders refuse."""
    with np.errstate(over="ignore"):
        return x.astype(np.float32)
