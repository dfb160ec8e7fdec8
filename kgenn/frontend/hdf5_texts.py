"""Read attributes of HDF5 files; those of texts of any length by kgenn itself.

The HDF5 library (1.14) trusts such a text: it copies as much as the heap holds to where there is room for as much
as the attribute states, and it never gets past a heap's free rest of length 0. So these texts are found here, from
the address of the object that has the attribute:

    object header   messages; of type 12 are attributes, of type 16 what leads to more messages
    attribute       name, type, extent, then for each text its length (4 bytes), its heap (8) and index there (4)
    global heap     "GCOL", version 1, three bytes, length (8), then objects: index (2), count (2), four bytes,
                    length (8), and as many bytes, filled up to a multiple of 8

Source: HDF5 File Format Specification 3.0, sections III.E, IV.A.1, IV.A.2.m.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import h5py

from kgenn.ir.file_part import FilePart
from kgenn.ir.hdf5_items import MAGIC

# Bytes of a list of names (1 MiB), which Keras splits over 64 KiB; and of a single text (64 MiB).
LARGEST_LIST, LARGEST_TEXT = 1 << 20, 1 << 26
# Where a superblock says how many bytes offsets and lengths have, and at which address it is itself, by version.
SUPERBLOCKS = {0: (13, 24), 1: (13, 28), 2: (9, 12), 3: (9, 12)}
ATTRIBUTE, CONTINUATION = 12, 16
Range = tuple[int, int]


class Attributes:
    """The attributes in a file of the given bytes.

    Raises:
        ValueError: where the file is not one that Keras writes: offsets of 8 bytes that count from its beginning.
    """

    def __init__(self, content: FilePart) -> None:
        self.content = content
        self._left = 2 * len(content)  # of texts, each of which is read once
        widths, base = SUPERBLOCKS.get(int.from_bytes(content[8:9] or b"\xff"), (0, 0))
        known = content[:8] == MAGIC and content[widths : widths + 2] == b"\x08\x08" and not self._number(base, 8)
        if not known:
            raise ValueError("its first bytes are not those of an HDF5 file that Keras writes")

    def get(self, item: h5py.HLObject, key: str, default: Any = None) -> Any:
        """Return an attribute as h5py does, but texts and arrays of texts as str and lists of str.

        Raises:
            ValueError: where it is damaged, too large, or of a type that Keras does not write.
        """
        if key not in item.attrs:
            return default
        stored = item.attrs.get_id(key)
        if stored.shape is None:
            raise ValueError(f"the attribute {key!r} holds nothing")
        count = prod(stored.shape)
        limit = LARGEST_LIST if stored.shape else LARGEST_TEXT
        if count * max(stored.dtype.itemsize, 16) > limit:
            raise ValueError(f"the attribute {key!r} is larger than {limit:,} bytes")
        if stored.dtype.kind != "O":
            return item.attrs[key]
        kind = stored.get_type()
        if not isinstance(kind, h5py.h5t.TypeStringID) or not kind.is_variable_str():
            raise ValueError(f"the attribute {key!r} is neither of texts nor of numbers")
        place = self._data(h5py.h5o.get_info(item.id).addr, key.encode())
        texts = [self._text(place + 16 * i) for i in range(count)]
        return texts if stored.shape else texts[0]

    def _number(self, place: int, width: int) -> int:
        """Return an integer; raise ValueError where it lies beyond the end."""
        if place + width > len(self.content):
            raise ValueError(f"the file ends before {place + width}")
        return int.from_bytes(self.content[place : place + width], "little")

    def _text(self, place: int) -> str:
        """Return the text that an attribute refers to."""
        length, heap, index = self._number(place, 4), self._number(place + 4, 8), self._number(place + 12, 4)
        if not length:
            return ""
        self._left -= length
        if self._left < 0:
            raise ValueError("many of its texts are the same bytes")
        if self.content[heap : heap + 5] != b"GCOL\x01":
            raise ValueError(f"there is no heap of texts at {heap}")
        end, place = heap + self._number(heap + 8, 8), heap + 16
        while place + 16 <= end:
            found, size = self._number(place, 2), self._number(place + 8, 8)
            if found == index and length <= size <= len(self.content) - place - 16:
                text = self.content[place + 16 : place + 16 + length]
                return text.partition(b"\0")[0].decode("utf8", "replace")
            if not found:
                break
            place += 16 + -(-size // 8) * 8
        raise ValueError(f"the heap at {heap} has no text {index} of {length} bytes")

    def _data(self, header: int, name: bytes) -> int:
        """Return where the values of an attribute stand."""
        for kind, start, _ in self._messages(header):
            if kind == ATTRIBUTE:
                version = self._number(start, 1)
                name_size, *sizes = (self._number(start + at, 2) for at in (2, 4, 6))
                step = 8 if version == 1 else 1
                start += 9 if version == 3 else 8
                if self.content[start : start + name_size].rstrip(b"\0") == name:
                    return start + sum(-(-size // step) * step for size in (name_size, *sizes))
        raise ValueError(f"the attribute {name!r} is stored in a way that Keras does not use")

    def _messages(self, header: int) -> Iterator[tuple[int, int, int]]:
        """Yield the type, the place and the size of each message of an object header."""
        newer = self.content[header : header + 4] == b"OHDR"
        flags = self._number(header + 5, 1) if newer else 0
        if newer:
            start = header + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
            width = 1 << (flags & 3)
            blocks: list[Range] = [(start + width, self._number(start, width))]
        else:
            blocks = [(header + 16, self._number(header + 8, 4))]
        head = 4 + (2 if flags & 4 else 0) if newer else 8
        seen: set[Range] = set()
        while blocks:
            block = start, length = blocks.pop()
            if block in seen:
                raise ValueError(f"the object header at {header} leads to itself")
            seen.add(block)
            place = start
            while place + head <= start + length:
                kind = self._number(place, 1 if newer else 2)
                size = self._number(place + (1 if newer else 2), 2)
                place += head
                if kind == CONTINUATION:
                    more, extent = self._number(place, 8), self._number(place + 8, 8)
                    blocks.append((more + 4, extent - 8) if newer else (more, extent))
                yield kind, place, size
                place += size
