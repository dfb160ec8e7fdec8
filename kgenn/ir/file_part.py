"""Read a part of a file as a file of its own, so that what lies inside an archive need not be in memory."""

from __future__ import annotations

import io
import os
import weakref
from typing import Any, Protocol

# Bytes that one call reads (1 GiB); the system reads at most 2 GiB at once.
LARGEST_READ = 1 << 30


class HasDescriptor(Protocol):
    """An open file, of which only the descriptor is used."""

    def fileno(self) -> int:
        """Return the descriptor."""


class _KeptOpen:
    """The descriptor of a file, open for as long as this object is used, whatever becomes of the file object."""

    def __init__(self, file: HasDescriptor) -> None:
        self._descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._descriptor)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor


class FilePart(io.RawIOBase):
    """The `size` bytes of an open file from `start` on: a file to read, and a sequence of bytes to slice.

    Reading moves no position of the file itself. Where the file ends early, a slice is shorter, and reading as a
    file raises OSError: h5py takes a buffer that was filled in part for a full one.
    """

    def __init__(self, file: HasDescriptor, start: int, size: int) -> None:
        super().__init__()
        self._file, self.start, self._size, self._place = file, start, size, 0

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self._size)
        return b"".join(
            os.pread(self._file.fileno(), min(LARGEST_READ, stop - place), self.start + place)
            for place in range(start, stop, LARGEST_READ)
        )

    def kept_open(self, start: int, size: int) -> FilePart:
        """Return a part of this one, which can be read as long as it is used, also after the file is closed."""
        return FilePart(_KeptOpen(self._file), self.start + start, size)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def readinto(self, buffer: Any) -> int:
        content = self[self._place : self._place + len(buffer)]
        if len(content) < min(len(buffer), self._size - self._place):
            raise OSError("it was cut off while it was read")
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)
