"""Mutate inputs: every mutation is a function of a generator of random numbers and some files."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from random import Random

from benchmarks.fuzz.mutate_json import edited
from benchmarks.fuzz.mutate_objects import edited_hdf5, edited_npz
from benchmarks.fuzz.seeds import Input
from kgenn.ir.serialise import zip_bytes

# Numbers at the edges of types, and what formats use as marks.
EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF)
Bytes = Callable[[Random, bytes], bytes]


def mutated(rng: Random, seed: Input) -> Input:
    """Return an input with one to four mutations of its kind."""
    files = dict(seed.files)
    # edits of what a file holds come before damage, which the HDF5 library, that edits, can fall over
    for structured in sorted((rng.random() < 0.6 for _ in range(rng.choice((1, 1, 1, 2, 2, 4)))), reverse=True):
        name = rng.choice(list(files))
        files[name] = _once(rng, name, files[name], structured)
    return Input(seed.kind, files)


def _once(rng: Random, name: str, data: bytes, structured: bool) -> bytes:
    """Mutate one file as what it holds, where it can be, or as bytes."""
    edit = _structured(name) if structured else None
    if edit is not None:
        try:
            return edit(rng, data)
        except Exception:  # an earlier edit left it unreadable, or this one cannot be written
            pass
    return rng.choice(BYTES)(rng, data)


def _structured(name: str) -> Bytes | None:
    suffix = name.rpartition(".")[2]
    return {"h5": edited_hdf5, "keras": edited_archive, "npz": edited_npz, "json": _json, "jsonl": _lines}.get(
        suffix
    )


def _json(rng: Random, data: bytes) -> bytes:
    return edited(rng, data.decode("utf8")).encode("utf8", "surrogatepass")


def _lines(rng: Random, data: bytes) -> bytes:
    lines = data.decode("utf8").splitlines()
    at = rng.randrange(len(lines))
    lines[at] = edited(rng, lines[at])
    return "\n".join([*lines, ""]).encode("utf8", "surrogatepass")


# archives


def edited_archive(rng: Random, data: bytes) -> bytes:
    """Edit what a .keras archive holds, or how it holds it."""
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        members = {name: old.read(name) for name in old.namelist()}
    kind = rng.randrange(11)
    if kind == 10:
        return zip_bytes(swollen(rng, members), zipfile.ZIP_DEFLATED)
    if kind < 4:
        members["config.json"] = _json(rng, members["config.json"])
    elif kind < 8:
        members["model.weights.h5"] = edited_hdf5(rng, members["model.weights.h5"])
    elif kind == 8:
        name = rng.choice(list(members))
        members[rng.choice(("../../escaped", "/escaped", "config.json/", "\x1b[31m", name.upper()))] = members[
            name
        ]
        if rng.random() < 0.5:
            del members[name]
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    return zip_bytes(members, method if kind == 9 else zipfile.ZIP_STORED)


# What a short text is repeated for: values that take many times its bytes in memory.
REPEATED = ("[],", "{},", "[[]],", '{"a":1},', '"",', "0.5,", '"\U0001f600",', '["x",0,0],', "[[[[[[[[1]]]]]]]],")


def swollen(rng: Random, members: dict[str, bytes]) -> dict[str, bytes]:
    """Return members of which one is far larger, and is compressed to a few kilobytes."""
    times = int(10 ** rng.uniform(3, 7))
    if rng.random() < 0.3:
        return {**members, "model.weights.h5": members["model.weights.h5"] + bytes(10 * times)}
    config = members["config.json"].decode("utf8")
    values = f"[{rng.choice(REPEATED) * (times // 4)}1]"
    places = [config.rfind("}"), *(at for at in range(len(config)) if config.startswith('"trainable": true', at))]
    at = rng.choice(places)
    text = f', "more": {values}' if at == places[0] else f'"more": {values}, '
    return {**members, "config.json": (config[:at] + text + config[at:]).encode("utf8")}


# bytes


def flip(rng: Random, data: bytes) -> bytes:
    """Change some bytes."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        if changed:
            changed[_position(rng, len(changed))] = rng.choice((*EDGES, rng.randrange(256), rng.randrange(256)))
    return bytes(changed)


def number(rng: Random, data: bytes) -> bytes:
    """Overwrite a number of two, four or eight bytes."""
    width = rng.choice((2, 4, 8))
    value = rng.choice((0, 1, (1 << (8 * width)) - 1, 1 << (8 * width - 1), rng.getrandbits(8 * width), len(data)))
    at = _position(rng, max(1, len(data) - width))
    return data[:at] + (value % (1 << (8 * width))).to_bytes(width, "little") + data[at + width :]


def cut(rng: Random, data: bytes) -> bytes:
    """Truncate."""
    return data[: rng.randrange(len(data) + 1)]


def drop(rng: Random, data: bytes) -> bytes:
    """Take some bytes out."""
    at, count = _position(rng, max(1, len(data))), rng.choice((1, 4, 8, 64, 512))
    return data[:at] + data[at + count :]


def copy(rng: Random, data: bytes) -> bytes:
    """Copy a part over another one, or between two."""
    count = rng.choice((1, 8, 40, 256))
    source, target = (_position(rng, max(1, len(data))) for _ in range(2))
    return data[:target] + data[source : source + count] + data[target + rng.choice((0, count)) :]


def fill(rng: Random, data: bytes) -> bytes:
    """Fill a part with one byte, or with random ones."""
    at, count = _position(rng, max(1, len(data))), rng.choice((8, 32, 512))
    return (
        data[:at]
        + (rng.randbytes(count) if rng.random() < 0.5 else bytes([rng.choice(EDGES)]) * count)
        + data[at + count :]
    )


BYTES: tuple[Bytes, ...] = (flip, flip, flip, number, number, cut, drop, copy, fill)


def _position(rng: Random, size: int) -> int:
    """Return a position: the beginnings of files, and of pages in them, hold what leads to the rest."""
    kind = rng.random()
    if kind < 0.3:
        return rng.randrange(min(size, 2048))
    if kind < 0.6:
        return min(size - 1, rng.randrange(0, size, 512) + rng.randrange(96))
    if kind < 0.7:
        return max(0, size - 1 - rng.randrange(min(size, 256)))
    return rng.randrange(size)
