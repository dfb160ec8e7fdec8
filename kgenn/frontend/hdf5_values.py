"""Find out whether the values of an HDF5 dataset are there, and take no more memory than they need.

Keras stores arrays as they are. Other programs store them in chunks, compressed or not; the HDF5 library (1.14)
unpacks a chunk to whatever it holds, a thousand times its size in the file, before it looks at the array's shape.
"""

from __future__ import annotations

import zlib
from math import prod

import h5py

from kgenn.layers.weights import StoredArray

# Bytes of a chunk: SOME (1 MiB), and TIMES those of the array, which its last chunks may exceed.
SOME, TIMES = 1 << 20, 2
# Filters that kgenn lets the library apply, which leave the size as it is but for the last: deflate, as in gzip.
DEFLATE = h5py.h5z.FILTER_DEFLATE
FILTERS = (h5py.h5z.FILTER_SHUFFLE, DEFLATE)


def stored_array(name: str, dataset: h5py.Dataset) -> StoredArray:
    """Return an array of a file, with what keeps its values from being read.

    Raises:
        OSError, RuntimeError, ValueError: where the file is damaged.
    """
    return StoredArray(name, dataset, _problem(dataset) if dataset.size else "")


def _problem(dataset: h5py.Dataset) -> str:
    if dataset.id.get_space_status() != h5py.h5d.SPACE_STATUS_ALLOCATED:
        return "has a shape and no values in the file"  # where HDF5 reads zeros
    if dataset.chunks is None:
        return ""
    size = prod(dataset.chunks) * dataset.dtype.itemsize
    if size > SOME + TIMES * dataset.nbytes:
        return f"is stored in chunks of {size:,} bytes, more than its own {dataset.nbytes:,}"
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
    if any(f not in FILTERS for f in filters) or DEFLATE in filters[:-1]:
        return "is compressed in another way than by gzip; store it uncompressed"
    fits = DEFLATE not in filters or _unpacks_to(dataset, size, 1 << (len(filters) - 1))
    return "" if fits else f"has a chunk that unpacks to more than its {size:,} bytes"


def _unpacks_to(dataset: h5py.Dataset, size: int, skipped: int) -> bool:
    """Tell whether no chunk unpacks to more than a size; `skipped` marks those that are not compressed."""
    chunks: list[tuple[int, ...]] = []
    dataset.id.chunk_iter(lambda chunk: chunks.append(chunk.chunk_offset))
    for offset in chunks:
        mask, content = dataset.id.read_direct_chunk(offset)
        if mask & skipped == 0 and len(zlib.decompressobj().decompress(content, size + 1)) > size:
            return False
    return True
