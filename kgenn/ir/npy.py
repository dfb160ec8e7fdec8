"""Read arrays of .npy files that may be damaged or made to harm: no array is made before its bytes are there."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from math import prod
from tokenize import TokenError
from typing import IO, Any, Self

import numpy as np

from kgenn.ir.graph import Array

# Types of arrays that are read: truth values, integers, real and complex numbers, texts.
KINDS = "biufcSU"


class Damaged(ValueError):
    """An archive that is cut off, changed, or larger than kgenn reads."""


def parse(content: bytes, name: str, structured: bool = False) -> Array:
    """Return the array in the bytes of an .npy file, of one of the `KINDS`, read-only.

    Args:
        structured: it may have several fields, each of one of the `KINDS`.

    Raises:
        Damaged: where they are no such array, or other bytes than its shape and type need.
    """
    header = ArrayHeader.of(io.BytesIO(content), len(content), name, structured)
    return header.array(memoryview(content)[header.size :])


@dataclass(frozen=True)
class ArrayHeader:
    """What the beginning of an .npy file says of the array in it.

    Attributes:
        shape: of the array.
        fortran: the first axis changes fastest.
        dtype: of its values.
        size: of the header, in bytes; the values follow.
    """

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    size: int

    @classmethod
    def of(cls, file: IO[bytes], size: int, name: str, structured: bool = False) -> Self:
        """Read the header of an .npy file of `size` bytes; name and structured as for `parse`.

        Raises:
            Damaged: where it is none, or of an array that is larger or smaller than the file.
        """
        counted = _Counted(file)
        try:
            version = np.lib.format.read_magic(counted)
            header = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, fortran, dtype = header(counted)
            kinds = [kind.kind for kind, *_ in (dtype.fields or {}).values()] if structured else []
            valid = all(kind in KINDS for kind in kinds or [dtype.kind])
            valid = valid and all(type(n) is int and n >= 0 for n in shape)
        # the header is a Python literal, which a parser can find too deep, or a tokenizer (Python 3.12 and later)
        except (ValueError, TypeError, KeyError, SyntaxError, TokenError, MemoryError, RecursionError) as error:
            raise Damaged(f"{name!r} has a header that cannot be read") from error
        if not valid:
            raise Damaged(f"{name!r} is of shape {shape} and type {dtype}; allowed: numbers and texts")
        left = size - counted.place
        if prod(shape) * dtype.itemsize != left:
            raise Damaged(f"{name!r} has {left:,} bytes, not those of {dtype} values {shape}")
        try:
            np.broadcast_to(np.zeros((), dtype), shape)
        except ValueError as error:  # more axes than NumPy has
            raise Damaged(f"{name!r} has {len(shape)} axes") from error
        return cls(shape, fortran, dtype, counted.place)

    def first(self, count: int) -> ArrayHeader:
        """Return the header of the first `count` rows alone."""
        return replace(self, shape=(count, *self.shape[1:]))

    @property
    def num_bytes(self) -> int:
        """Return the bytes of all values."""
        return prod(self.shape) * self.dtype.itemsize

    def array(self, values: bytes | memoryview) -> Array:
        """Return the array of these values, read-only."""
        flat = np.frombuffer(values, self.dtype) if prod(self.shape) else np.zeros(0, self.dtype)
        return flat.reshape(self.shape, order="F" if self.fortran else "C")


class _Counted:
    """A file that is read from its beginning, and how far."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.place = file, 0

    def read(self, size: int = -1, /) -> bytes:
        content = self._file.read(size)
        self.place += len(content)
        return content
