"""Lay out everything a generated program reads as one array of 32-bit words: parameters, biases, weights."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kgenn.backends.interface_schema import CODING_FLAGS, CODING_REALS, HEADER, MAGIC
from kgenn.ir.axis_map import AxisMap
from kgenn.ir.connectivity import Connectivity, Sparse
from kgenn.ir.graph import Array
from kgenn.ir.network import Network, Population
from kgenn.ir.network_input import InputCoding
from kgenn.ir.spike_sums import Resampling

HEADER_WORDS = len(HEADER)
# Rows start on a cache line.
ALIGNMENT = 16
# Words of the checksum at a time: the weights of a large network are gigabytes.
CHUNK = 1 << 20


@dataclass(frozen=True)
class SynapseTable:
    """Where the words have the synapses of a sparse connection, and how many there may be of what they name.

    Attributes:
        start: the offset of each source's first synapse in the table; one more than there are sources.
        target: the offset of each synapse's target.
    """

    start: int
    target: int
    num_sources: int
    num_targets: int
    num_synapses: int


@dataclass(frozen=True)
class AxisTable:
    """Where the words have the map of an axis, and how long the axes are.

    Attributes:
        start: the offset of the first source position that each position reads.
        taps: the offset of the factors, `width` for each position.
        positions, width: of the map.
        size: of the source's axis.
    """

    start: int
    taps: int
    positions: int
    width: int
    size: int


@dataclass
class Words:
    """Words in the making: `add` appends an array on a cache line and returns where it starts.

    Where each array starts depends only on the network's structure, so that generated code can name it.
    """

    parts: list[Array] = field(default_factory=list)
    size: int = 0
    tables: list[SynapseTable] = field(default_factory=list)
    axes: list[AxisTable] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.add(np.zeros(HEADER_WORDS, np.float32))

    def add(self, array: Array) -> int:
        """Append an array of float32 or int32 words, or of float64, each of two words."""
        assert array.dtype in (np.float32, np.int32, np.float64), array.dtype
        offset = self.size
        words = np.ascontiguousarray(array).ravel().view(np.uint32)
        self.parts.append(words)
        self.size += words.size + -words.size % ALIGNMENT
        return offset

    def add_coding(self, coding: InputCoding) -> int:
        """Append how an input's values drive its neurons; return where it starts."""
        own = {"levels": coding.levels, "low": coding.low, "high": coding.high, "binary": coding.binary}
        own |= {"binarise": coding.binarise or 0.0, "has_binarise": coding.binarise is not None}
        reals = np.array([own[name] for name in CODING_REALS], np.float32)
        flags = np.array([own[name] for name in CODING_FLAGS], np.int32)
        return self.add(np.concatenate([reals.view(np.int32), flags]))

    def add_synapses(self, connectivity: Connectivity) -> dict[str, int]:
        """Append a connection's arrays; return where each starts, in the order that generated code reads them."""
        plain = np.asarray(connectivity.weights, np.float32)
        if not isinstance(connectivity, Sparse):
            return {"weights": self.add(plain)}
        start = self.add(connectivity.indptr.astype(np.int32))
        target = self.add(connectivity.indices.astype(np.int32))
        sizes = (connectivity.num_sources, connectivity.num_targets, plain.size)
        self.tables.append(SynapseTable(start, target, *sizes))
        return {"start": start, "target": target, "weights": self.add(plain)}

    def add_axes(self, resampling: Resampling) -> tuple[AxisTable, AxisTable]:
        """Append the maps of the rows and of the columns; return where they are."""
        rows, columns = (self._add_axis(resampling.axis(i), resampling.in_shape[i]) for i in (0, 1))
        return rows, columns

    def _add_axis(self, line: AxisMap, size: int) -> AxisTable:
        start, taps = (self.add(array.astype(np.int32)) for array in (line.start, line.taps))
        self.axes.append(AxisTable(start, taps, line.positions, line.taps.shape[1], size))
        return self.axes[-1]

    def finish(self, network: Network, structure: int) -> bytes:
        """Fill in the header and return all words, little-endian."""
        offset, total = 0, 0
        parts: list[memoryview | bytes] = []
        for part in self.parts:
            padding = -part.size % ALIGNMENT
            total += checksum(part, offset)
            parts += [part.astype("<u4", copy=False).data, bytes(4 * padding)]
            offset += part.size + padding
        head = {
            "magic": MAGIC,
            "structure": structure,
            "num_words": self.size,
            "checksum": total & 0xFFFFFFFF,
            "num_timesteps": network.num_timesteps,
            "seed": network.seed & 0xFFFFFFFF,
        }
        header = np.zeros(HEADER_WORDS, "<u4")
        header[:] = [head[name] for name in HEADER]
        # joined, and not filled in place: the weights of a large network are gigabytes, and exist once more here
        return b"".join([header.data, *parts[1:]])


def checksum(words: Array, first: int = 0) -> int:
    """Return the checksum of words behind the header, which generated code compares.

    That of several arrays is the sum of theirs, modulo 2**32.

    Args:
        first: where the first word stands.
    """
    total = np.zeros((), np.uint32)
    for start in range(max(0, HEADER_WORDS - first), len(words), CHUNK):
        part = words[start : start + CHUNK]
        factors = 2 * np.arange(first + start, first + start + len(part), dtype=np.uint32) + 1
        total += np.sum(part * factors, dtype=np.uint32)
    return int(total)


def values(population: Population, names: tuple[str, ...], initial: bool) -> Array:
    """Return a population's parameters, or the initial values of its state, in the given order."""
    model = population.neuron
    table = population.initial_state if initial else {**model.params, **population.params}
    return np.array([table[name] for name in names], np.float32)
