"""The structures, enumerations and header words that Python and generated programs share: said here alone.

Templates write the C from them, `ctypes` structures are made of them, and the words are laid out by them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kgenn.ir.network import ReadoutKind

# How ctypes spells the types of members; all pointers are alike.
PLAIN: Mapping[str, Any] = {"int32_t": ctypes.c_int32, "int64_t": ctypes.c_int64, "double": ctypes.c_double}
POINTER = ctypes.c_void_p


@dataclass(frozen=True)
class Member:
    """A member of a structure.

    Attributes:
        type: in C; pointers end in a star.
        note: a comment.
    """

    type: str
    name: str
    note: str = ""

    @property
    def declaration(self) -> str:
        """Return the member as C declares it."""
        return f"{self.type}{self.name};" if self.type.endswith("*") else f"{self.type} {self.name};"


@dataclass(frozen=True)
class Constant:
    """A member of an enumeration."""

    name: str
    value: int
    note: str = ""

    @property
    def definition(self) -> str:
        """Return the constant as C defines it."""
        return f"{self.name} = {self.value}"


# The synapse algorithms whose use the program counts: by events, dense products in vectors or in the matrix unit,
# and what has only one.
ALGORITHMS = ("events", "dense", "tiles", "other")

OPTIONS = (
    Member("int32_t", "num_threads", "0 for one per core; unused on a device"),
    Member("int32_t", "every_step", "scores after every step, not only after the last"),
    Member("int32_t", "path", "synapses: 0 the fastest for the firing rate, 1 by events, 2 all values"),
)
USAGE = (*(Member("int64_t", name) for name in ALGORITHMS), Member("double", "density_sum"))
RECORDING = (
    Member("float *", "scores"),
    Member("int32_t *", "counts"),
    Member("int32_t *", "train_values"),
    Member("int8_t *", "raster"),
    Member("kgenn_usage *", "usage"),
    Member("int64_t *", "totals"),
)

OK, NO_MEMORY, NO_DEVICE = 0, 1, 2
CPP_STATUSES = (
    Constant("KGENN_OK", OK),
    Constant("KGENN_NO_MEMORY", NO_MEMORY),
    Constant("KGENN_OUTSIDE", 2, "values are outside their encoder's range"),
    Constant("KGENN_NO_INPUT", 3, "a first step without an input"),
    Constant("KGENN_HELD", 4, "an input after the first step, whose input holds for the whole sample"),
    Constant("KGENN_NO_STREAM", 5, "NULL instead of a stream"),
)
CUDA_STATUSES = (
    Constant("KGENN_OK", OK),
    Constant("KGENN_NO_MEMORY", NO_MEMORY, "of the host or of the device, for a single sample"),
    Constant("KGENN_NO_DEVICE", NO_DEVICE),
    Constant("KGENN_CUDA_ERROR", 1000, "plus the number of the CUDA error"),
)

# The words that weights.bin begins with, each of 32 bits.
HEADER = ("magic", "structure", "num_words", "checksum", "num_timesteps", "seed")
MAGIC = 0x6E6E676B  # "kgnn"
# How an input's values drive its neurons: `levels` for 1, from `low` to `high`; and flags.
CODING_REALS = ("levels", "low", "high", "binarise")
CODING_FLAGS = ("binary", "has_binarise")

# How a program reads its scores off a population.
READOUT_NAMES = ("kNone", "kState", "kSpikeCount")
READOUTS: Mapping[ReadoutKind | None, str] = {
    None: "kNone",
    "current": "kState",
    "late-current": "kState",
    "spike-count": "kSpikeCount",
}


@dataclass(frozen=True)
class Interface:
    """What templates write of the schema.

    Attributes:
        statuses: of the target.
    """

    statuses: tuple[Constant, ...]
    options: tuple[Member, ...] = OPTIONS
    usage: tuple[Member, ...] = USAGE
    recording: tuple[Member, ...] = RECORDING
    header: tuple[str, ...] = HEADER
    magic: str = f"{MAGIC:#x}"
    coding_reals: tuple[str, ...] = CODING_REALS
    coding_flags: tuple[str, ...] = CODING_FLAGS
    readouts: tuple[str, ...] = READOUT_NAMES


def fields_of(members: tuple[Member, ...]) -> tuple[tuple[str, Any], ...]:
    """Return members as the `_fields_` of a ctypes structure."""
    return tuple((m.name, POINTER if m.type.endswith("*") else PLAIN[m.type]) for m in members)


def header_byte(word: str) -> int:
    """Return the byte of weights.bin at which a word of the header begins."""
    return 4 * HEADER.index(word)
