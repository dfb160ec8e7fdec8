"""Find what lies in an HDF5 file, and whether its values are there and take no more memory than they need.

Keras stores arrays as they are. Other programs store them in chunks, compressed or not; the HDF5 library (1.14)
unpacks a chunk to whatever it holds, a thousand times its size in the file, before it looks at the array's shape.
"""

from __future__ import annotations

import zlib
from itertools import product
from math import prod
from typing import Any

import h5py

# What h5py raises on a damaged file, which depends on where the damage is.
DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError)
# How an HDF5 file begins.
MAGIC = b"\x89HDF\r\n\x1a\n"
# Bytes of a chunk: SOME (1 MiB), and TIMES those of the array, which its last chunks may exceed.
SOME, TIMES = 1 << 20, 2
# Filters that kgenn lets the library apply, which leave the size as it is but for the last: deflate, as in gzip.
DEFLATE = h5py.h5z.FILTER_DEFLATE
FILTERS = (h5py.h5z.FILTER_SHUFFLE, DEFLATE)


def inside(group: h5py.Group, path: str) -> Any:
    """Return an object of the same file, or None; links are not followed, lest they lead to other files."""
    item: Any = group
    for part in path.split("/"):
        if not isinstance(item, h5py.Group) or not isinstance(item.get(part, getlink=True), h5py.HardLink):
            return None
        item = item[part]
    if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
        return None
    return item


def problem_of(dataset: h5py.Dataset) -> str:
    """Return what keeps the values of a dataset from being read, its compressed chunks aside; or nothing.

    Raises:
        OSError, RuntimeError, ValueError: where the file is damaged.
    """
    allocated = dataset.id.get_space_status()
    if allocated == h5py.h5d.SPACE_STATUS_PART_ALLOCATED:
        return "has no values in the file for some of its chunks; write them all"  # HDF5 reads zeros there
    if allocated != h5py.h5d.SPACE_STATUS_ALLOCATED:
        return "has a shape and no values in the file"
    if dataset.chunks is None:
        return ""
    size = prod(dataset.chunks) * dataset.dtype.itemsize
    if size > SOME + TIMES * dataset.nbytes:
        return f"is stored in chunks of {size:,} bytes, more than its own {dataset.nbytes:,}"
    filters = _filters(dataset)
    if any(f not in FILTERS for f in filters) or DEFLATE in filters[:-1]:
        return "is stored with an HDF5 filter other than gzip and shuffle; store it uncompressed"
    return ""


def problem_of_chunks(dataset: h5py.Dataset, start: int, stop: int) -> str:
    """Return what keeps the compressed chunks of some rows from being read; or nothing.

    Args:
        dataset: one without a problem of its own.

    Raises:
        OSError, RuntimeError, ValueError: as `problem_of`.
    """
    filters = [] if dataset.chunks is None else _filters(dataset)
    if DEFLATE not in filters:
        return ""
    size, skipped = prod(dataset.chunks) * dataset.dtype.itemsize, 1 << (len(filters) - 1)
    first, *rest = dataset.chunks
    rows = range(start // first * first, stop, first)
    for offset in product(rows, *(range(0, n, c) for n, c in zip(dataset.shape[1:], rest, strict=True))):
        mask, content = dataset.id.read_direct_chunk(offset)
        if mask & skipped:  # the filter was left out for this chunk
            continue
        try:
            if len(zlib.decompressobj().decompress(content, size + 1)) > size:
                return f"has a chunk that unpacks to more than its {size:,} bytes"
        except zlib.error:
            return "has a chunk that is damaged"
    return ""


def _filters(dataset: h5py.Dataset) -> list[int]:
    properties = dataset.id.get_create_plist()
    return [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
