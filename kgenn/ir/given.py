"""Turn what users pass as data into arrays, or say what to pass instead."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kgenn.diagnostics import fail

Array = NDArray[Any]
# Booleans, whole numbers and floating-point numbers of NumPy.
REAL = "biuf"
# Letters of a value that a message quotes.
MAX_LETTERS = 60
# Bytes of float64.
WIDEST = 8


def given_array(x: Any, where: str, code: str) -> Array:
    """Return data as an array of real numbers with a row for each sample.

    What has a NumPy type and can be cut into batches, such as a dataset of h5py, stays what it is.

    Args:
        where: what the data are, for messages.
        code: of the diagnostic.

    Raises:
        KgennError: for what is no array of real numbers, with what to give instead.
    """
    if isinstance(x, str | bytes | PathLike):
        advice = "read the file, and give its array: numpy.load(path)['x']"
        raise fail(code, where, f"is the text {str(x)!r}", advice)
    if isinstance(x, Iterator | set | frozenset):
        raise fail(code, where, f"is a {type(x).__name__}", "give an array: numpy.stack(list(...))")
    if x is None or isinstance(x, Mapping):
        found = "is None" if x is None else f"is a {type(x).__name__} of {len(x)} entries"
        raise fail(code, where, found, "give an array with a row for each sample")
    if hasattr(x, "toarray"):
        raise fail(code, where, f"is a sparse {type(x).__name__}", "give a dense array: x.toarray()")
    array = x
    if not (isinstance(getattr(x, "dtype", None), np.dtype) and hasattr(x, "shape") and hasattr(x, "__getitem__")):
        array = _stacked(x, where, code)
    if len(array.shape) == 0:
        found = f"is a single value, {array[()]}" if array is x else f"is {_short(x)}"
        raise fail(code, where, found, "give an array with a row for each sample")
    if array.dtype.kind not in REAL:
        advice = "give real numbers"
        if array.dtype.kind == "V" and not array.dtype.names:
            advice += ': x.astype("float32")'
        if array.dtype.kind == "O":
            advice += '; where all values are such, pass what astype("float32") returns'
        raise fail(code, where, f"has values of type {array.dtype}", advice)
    if np.ma.is_masked(array):
        raise fail(code, where, "has masked values", "fill them, for example x.filled(0)")
    # NumPy computes statistics in float64, and casts no wider type to it by itself
    found_array: Array = np.asarray(array, np.float64) if array.dtype.itemsize > WIDEST else array
    return found_array


def _short(x: Any) -> str:
    """Return a value as Python writes it, or its type where that is long."""
    text = repr(x)
    return text if len(text) <= MAX_LETTERS else f"a {type(x).__name__}"


def given_path(path: Any, where: str, code: str) -> Path:
    """Return what a user passes as a path.

    Raises:
        KgennError: where it is none.
    """
    if not isinstance(path, str | bytes | PathLike) or "\0" in os.fsdecode(path):
        raise fail(code, where, f"is {path!r}", "give a path")
    return Path(os.fsdecode(path))


def given_sizes(shape: Any) -> tuple[int, ...]:
    """Return what a user passes as the sizes of some axes; nothing where they are no whole numbers."""
    try:
        return tuple(operator.index(size) for size in shape)
    except TypeError:
        return ()


def _stacked(x: Any, where: str, code: str) -> Array:
    """Return a list, a frame or a tensor as an array."""
    try:
        return np.asarray(x)
    except (TypeError, ValueError) as error:
        what = f"is a {type(x).__name__} that NumPy makes no array of: {error}"
        advice = "give samples of one shape"
        if isinstance(x, tuple):
            advice = "give only x, with samples of one shape; labels are an argument of their own"
        raise fail(code, where, what, advice) from error
