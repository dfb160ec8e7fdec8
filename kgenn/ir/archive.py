"""Read zip archives, among them .npz files, that may be damaged or made to harm.

What a member unpacks to is bounded before it is unpacked, and no array is made before its bytes are there. A large
member can be read as a file, without being in memory.
"""

from __future__ import annotations

import errno
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from kgenn.diagnostics import KgennError, fail
from kgenn.ir.file_part import FilePart
from kgenn.ir.graph import Array
from kgenn.ir.npy import Damaged, parse

# Bytes that the members read from one archive may unpack to (8 GiB): a small file can claim any size.
MAX_BYTES = 1 << 33
# Deflate is unpacked piece by piece; the other methods unpack a few bytes to gigabytes at once.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# Where the header of a member, of this many bytes, states the lengths of its name and of what follows the name.
LOCAL_HEADER = struct.Struct("<4s22xHH")
# Of a member's flags.
ENCRYPTED = 1
# Bytes that are copied at once (1 MiB).
BLOCK = 1 << 20


def open_file(path: Path) -> IO[bytes]:
    """Open a file to read, which is one: a pipe would be waited for.

    Raises:
        OSError: where it cannot be opened, or is a pipe or a device.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return path.open("rb")


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive; what reading it raises, which depends on where the damage is, becomes `Damaged`.

    Raises:
        OSError: where the file itself cannot be opened.
    """
    with open_file(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                yield archive
        except (
            OSError,
            EOFError,
            OverflowError,
            RuntimeError,  # an encrypted member; NotImplementedError, a method that Python lacks
            struct.error,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            raise Damaged(str(error) or type(error).__name__) from error


def unpack(archive: zipfile.ZipFile, name: str, limit: int = MAX_BYTES) -> bytes:
    """Return the bytes of a member, at most `limit`.

    Raises:
        Damaged: where there are more, two members of that name, or a method of compression other than `METHODS`.
    """
    info = information(archive, name)
    if info.file_size > limit:
        raise Damaged(f"{name!r} unpacks to {info.file_size:,} bytes, more than the {limit:,} that kgenn reads")
    return archive.read(info)


def sizes(archive: zipfile.ZipFile, name: str) -> tuple[int, int]:
    """Return the bytes that a member says it unpacks to, and those that it says it takes in the archive."""
    info = information(archive, name)
    return info.file_size, info.compress_size


@contextmanager
def unpacked(path: Path, name: str, limit: int) -> Iterator[FilePart]:
    """Open a member of an archive as a file: in place, or in a temporary file where it is compressed.

    Args:
        limit: bytes that a compressed member may unpack to.

    Raises:
        Damaged: as `unpack`, and where the checksum is another.
        KgennError: KG609 where the temporary file cannot be written.
    """
    with ExitStack() as stack:
        file = stack.enter_context(open_file(path))
        with opened(path) as archive:
            info = information(archive, name)
            if info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & ENCRYPTED:
                part = _in_place(file, info)
            elif info.file_size > limit:
                raise Damaged(
                    f"{name!r} unpacks to {info.file_size:,} bytes, more than the {limit:,} that its model needs"
                )
            else:
                part = FilePart(_copied(stack, archive, info, info.file_size), 0, info.file_size)
        yield part


def first_bytes(archive: zipfile.ZipFile, name: str, size: int) -> FilePart:
    """Return the first bytes of a member as a file, which outlives the archive.

    They stay where they are, or are in a temporary file where the member is compressed. Only a member that is read
    to its end is compared with its checksum.

    Args:
        size: of what is wanted, at most that of the member.

    Raises:
        Damaged: as `unpacked`; for a compressed member, where `size` is more than `MAX_BYTES`.
        KgennError: KG609 where the temporary file cannot be written.
    """
    info = information(archive, name)
    if info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & ENCRYPTED:
        assert archive.fp is not None
        return _in_place(archive.fp, info, checked=size == info.file_size).kept_open(0, size)
    if size > MAX_BYTES:
        what = f"{name!r} unpacks to {size:,} bytes, more than the {MAX_BYTES:,} that kgenn reads"
        raise Damaged(f"{what}; numpy.savez and HDF5 store arrays that need no unpacking")
    with ExitStack() as stack:
        return FilePart(_copied(stack, archive, info, size), 0, size).kept_open(0, size)


def _in_place(file: IO[bytes], info: zipfile.ZipInfo, checked: bool = True) -> FilePart:
    """Return the bytes of a member that is not compressed, whose checksum is read if it is to be `checked`."""
    header = FilePart(file, info.header_offset, LOCAL_HEADER.size)[:]
    if len(header) < LOCAL_HEADER.size:
        raise Damaged(f"{info.filename!r} has no header")
    signature, name_size, extra_size = LOCAL_HEADER.unpack(header)
    start = info.header_offset + LOCAL_HEADER.size + name_size + extra_size
    if signature != b"PK\x03\x04" or info.file_size != info.compress_size:
        raise Damaged(f"{info.filename!r} has a header of another member")
    if start + info.file_size > os.fstat(file.fileno()).st_size:
        raise Damaged(f"{info.filename!r} is cut off")
    part, checksum = FilePart(file, start, info.file_size), 0
    for place in range(0, len(part) if checked else 0, BLOCK):
        checksum = zlib.crc32(part[place : place + BLOCK], checksum)
    if checked and checksum != info.CRC:
        raise Damaged(f"Bad CRC-32 for file {info.filename!r}")
    return part


def _copied(stack: ExitStack, archive: zipfile.ZipFile, info: zipfile.ZipInfo, size: int) -> IO[bytes]:
    """Unpack the first bytes of a member into a temporary file, which is gone once the stack is closed."""
    try:
        copy = stack.enter_context(TemporaryFile())  # noqa: SIM115
    except OSError as error:
        raise _no_room(info, error) from None
    with archive.open(info) as member:
        for part in parts_of(member, size, info.filename):
            _write(copy, part, info)
        if size == info.file_size:
            member.read(1)  # compares the checksum
    return copy


def parts_of(member: IO[bytes], size: int, name: str) -> Iterator[bytes]:
    """Yield the next `size` bytes of a file; raise Damaged where it has fewer."""
    while size:
        part = member.read(min(BLOCK, size))
        if not part:
            raise Damaged(f"{name!r} is cut off")
        size -= len(part)
        yield part


def _write(copy: IO[bytes], block: bytes, info: zipfile.ZipInfo) -> None:
    try:
        copy.write(block)
        copy.flush()
    except OSError as error:
        raise _no_room(info, error) from None


def _no_room(info: zipfile.ZipInfo, error: OSError) -> KgennError:
    what = f"cannot be unpacked into a temporary file: {error.strerror or error}"
    return fail("KG609", info.filename, what, f"make room for {info.file_size:,} bytes, or set TMPDIR")


def information(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """Return what an archive says of a member.

    Raises:
        Damaged: for two of that name, and for a method of compression other than `METHODS`.
    """
    if archive.namelist().count(name) > 1:
        raise Damaged(f"two members are named {name!r}")
    info = archive.getinfo(name)
    if info.compress_type not in METHODS:
        raise Damaged(f"{name!r} is compressed by a method other than deflate")
    return info


class ArchiveArrays(Mapping[str, Array]):
    """The arrays of an open .npz archive by name; each is read when it is asked for."""

    def __init__(self, archive: zipfile.ZipFile, structured: bool = False) -> None:
        self._archive, self._structured = archive, structured
        self._members = {name.removesuffix(".npy"): name for name in archive.namelist() if name.endswith(".npy")}
        self._left = MAX_BYTES

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __getitem__(self, name: str) -> Array:
        content = unpack(self._archive, self._members[name], self._left)
        self._left -= len(content)
        return parse(content, name, self._structured)


@contextmanager
def arrays(path: Path, structured: bool = False) -> Iterator[ArchiveArrays]:
    """Open an .npz file.

    Args:
        structured: arrays of several fields are read too.

    Raises:
        OSError: where it cannot be opened; Damaged, a ValueError, where it cannot be read.
    """
    with opened(path) as archive:
        yield ArchiveArrays(archive, structured)
