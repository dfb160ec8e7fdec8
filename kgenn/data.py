"""Read data sets: .npz files with x and y, or in the layout of keras.datasets."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from kgenn.diagnostics import Diagnostic, fail
from kgenn.ir.archive import arrays
from kgenn.ir.graph import Array, Shape
from kgenn.plausibility import doubts_of_scale

# How an .npy file, of a single array, begins.
ARRAY_MAGIC = b"\x93NUMPY"
# Class indices lie below; not-a-number and infinity do not.
LABELS = 1 << 31
# Digits with a point, a fraction or a small exponent: Python's Fraction would compute any power of ten.
NUMBER = r"(?:\d{1,20}(?:\.\d{0,20})?(?:e[+-]?\d{1,2})?|\.\d{1,20})"
SCALE = re.compile(rf"({NUMBER})(?:/({NUMBER}))?", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Data:
    """Samples and, where there are any, labels.

    Attributes:
        x: shape (N, ...).
        y: shape (N,), class indices, or None.
        scale: what the user had `x` multiplied by, or None.
        warnings: what leaves that scale in doubt.
    """

    x: Array
    y: Array | None
    scale: Fraction | None = None
    warnings: tuple[Diagnostic, ...] = ()

    def limited(self, limit: int | None) -> Data:
        """Return the first `limit` samples."""
        if limit is None:
            return self
        return replace(self, x=self.x[:limit], y=None if self.y is None else self.y[:limit])

    def chosen(self, indices: Array) -> Data:
        """Return the samples of these indices."""
        return replace(self, x=self.x[indices], y=None if self.y is None else np.asarray(self.y)[indices])

    def prepared(self, shape: Shape, scale: Fraction | None, where: str) -> Data:
        """Return the samples as the model takes them, and what leaves the scale in doubt; see `prepare`."""
        x = prepare(self.x, shape, scale, where)
        return Data(x, self.y, scale, doubts_of_scale(self.x, scale, where))


def load_data(path: Path, split: str | None = None) -> Data:
    """Read an .npz file.

    Args:
        path: with arrays `x` and perhaps `y`, or `x_train`, `y_train`, `x_test`, `y_test`.
        split: "train" or "test"; needed where the file has both.

    Raises:
        KgennError: KG601 where the file cannot be read or lacks the arrays, KG607 for odd labels.
    """
    try:
        with path.open("rb") as file:
            single = file.read(len(ARRAY_MAGIC)) == ARRAY_MAGIC
        if single:
            raise fail("KG601", str(path), "is a single array", "save it with numpy.savez(path, x=..., y=...)")
        with arrays(path) as archive:
            suffix = _suffix(path, list(archive), split)
            x, y = archive[f"x{suffix}"], archive.get(f"y{suffix}")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise fail("KG601", str(path), f"cannot be read: {reason}", "give an .npz file with x and y") from error
    if x.ndim == 0:
        raise fail("KG601", str(path), f"has a single number as x{suffix}", "give an array of samples")
    return Data(x, None if y is None else class_indices(y, len(x), str(path)))


def _suffix(path: Path, names: list[str], split: str | None) -> str:
    """Return the ending of the arrays to read."""
    if split is None and "x" in names:
        return ""
    if split is None and "x_test" in names:
        what = f"has the arrays {', '.join(names)}"
        raise fail("KG601", str(path), what, "say which: --split test or --split train")
    if split is not None and f"x_{split}" in names:
        return f"_{split}"
    if split is not None and "x" in names:
        return ""
    what = f"has no array {'x' if split is None else f'x_{split}'}; it has {', '.join(names) or 'none'}"
    raise fail("KG601", str(path), what, "save it with numpy.savez(path, x=..., y=...)")


def class_indices(y: Array, num_samples: int, where: str) -> Array:
    """Return labels as class indices, int64, from whole numbers or one-hot rows.

    Raises:
        KgennError: KG607 where they are something else, or not one for each sample.
    """
    given = y = np.asarray(y)
    whole = y.dtype.kind in "biuf" and bool(((y == np.floor(y)) & (y > -LABELS) & (y < LABELS)).all())
    if whole and y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]  # a column, as keras.datasets.cifar10 has it
    elif whole and y.ndim == 2 and ((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all() and y.size:
        y = y.argmax(axis=1)
    if not whole or y.shape != (num_samples,):
        what = f"has labels of shape {given.shape} and type {given.dtype} for {num_samples} samples"
        raise fail("KG607", where, what, "give one class index for each sample, or one-hot rows")
    return y.astype(np.int64)


def check_labels(y: Array, num_samples: int, num_classes: int) -> Array:
    """Return labels as int64 after checking that they are classes of the network.

    Raises:
        KgennError: KG607 where they are not.
    """
    y = class_indices(y, num_samples, "labels")
    if num_samples and not (y.min() >= 0 and y.max() < num_classes):
        what = f"run from {y.min()} to {y.max()}; the network has the classes 0 to {num_classes - 1}"
        raise fail("KG607", "labels", what, "give the data set the model was trained on")
    return y


def labels_of(y: Array | None, num_samples: int, num_classes: int) -> Array | None:
    """Return labels as class indices, shape (N,), or None where there are none; raise as `check_labels`."""
    return None if y is None else check_labels(y, num_samples, num_classes)


def parse_scale(text: str) -> Fraction:
    """Return a scale such as "1/255", "1/127.5" or "0.5".

    Raises:
        KgennError: KG401 where it is no positive number.
    """
    found = SCALE.fullmatch(text.strip())
    above, below = (Fraction(part or 1) for part in found.groups()) if found else (Fraction(0), Fraction(1))
    scale = above / below if below else Fraction(0)
    if scale <= 0:
        raise fail("KG401", "--scale", f"is {text!r}", "give a positive number or fraction, such as 1/255")
    return scale


def prepare(x: Array, shape: Shape, scale: Fraction | None, where: str) -> Array:
    """Return samples as the model takes them: float32, scaled, with a channel axis.

    x · scale is computed in float64 and rounded once, so that 1/255 gives what dividing by 255 gives.

    Args:
        x: shape (N, *shape), or without a channel axis of length 1.
        shape: of one sample as the model takes it.
        scale: needed for integers, where 1 takes them as they are.
        where: the file, for messages.

    Raises:
        KgennError: KG602 for another shape, KG604 for integers without a scale.
    """
    x = np.asarray(x)
    if x.shape[1:] != shape and 1 in (shape[-1], shape[0]) and x.size == len(x) * int(np.prod(shape)):
        squeezed = tuple(n for n in x.shape[1:] if n != 1)
        if squeezed == tuple(n for n in shape if n != 1):
            x = x.reshape(len(x), *shape)
    if x.shape[1:] != shape:
        raise fail("KG602", where, f"has samples of {x.shape[1:]}; the model takes {shape}", "reshape the data")
    if x.dtype.kind not in "biuf":
        raise fail("KG602", where, f"has values of type {x.dtype}", "give real numbers")
    if scale is None:
        refuse_integers(x, where, "pass --scale 1/255, or --scale 1 where the model takes them as they are")
        return _single(x)
    return _single(x.astype(np.float64) * scale.numerator / scale.denominator)


def refuse_integers(x: Array, where: str, help: str) -> None:
    """Refuse integers, of which nobody said how the model takes them.

    Raises:
        KgennError: KG604.
    """
    if np.issubdtype(np.asarray(x[:1]).dtype, np.integer):
        x = np.asarray(x)
        what = f"has integers of type {x.dtype} from {x.min(initial=0)} to {x.max(initial=0)}"
        raise fail("KG604", where, what, help)


def _single(x: Array) -> Array:
    """Return values as float32; what lies beyond it is infinite, which encoders refuse."""
    with np.errstate(over="ignore"):
        return x.astype(np.float32)
