"""Edit HDF5 files and .npz archives through their libraries: links, types, shapes, attributes, storage."""

from __future__ import annotations

import io
import zipfile
from random import Random
from typing import Any

import h5py
import numpy as np

from benchmarks.fuzz.mutate_json import edited
from kgenn.ir.serialise import zip_bytes

DTYPES = ("f8", "f2", ">f4", "i1", "u8", "c8", "S4", "V2", "V4", "?", "m8[s]", "M8[s]", "U3")
VALUES = (float("nan"), float("inf"), -1.0, 1e38, 1e-45, 0.0)


def edited_hdf5(rng: Random, data: bytes) -> bytes:
    """Edit an object or an attribute of an HDF5 file."""
    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+") as file:
        datasets: list[str] = []
        groups: list[str] = ["/"]

        def visit(name: str, item: Any) -> None:
            (datasets if isinstance(item, h5py.Dataset) else groups).append(name)

        file.visititems(visit)
        if "model_config" in file.attrs and rng.random() < 0.5:
            file.attrs["model_config"] = edited(rng, str(file.attrs["model_config"]))
        elif datasets and rng.random() < 0.7:
            _dataset(rng, file, rng.choice(datasets))
        else:
            _attribute(rng, file[rng.choice(groups)])
    return buffer.getvalue()


def _dataset(rng: Random, file: h5py.File, name: str) -> None:
    array = file[name][()]
    kind = rng.randrange(12)
    if kind < 2 and array.dtype.kind != "f":  # h5py falls over a number that is put for a reference
        return
    if kind == 0:
        file[name][...] = rng.choice(VALUES)
        return
    if kind == 1 and array.size:
        array.flat[rng.randrange(array.size)] = rng.choice(VALUES)
        file[name][...] = array
        return
    del file[name]
    if kind == 2:
        file[name] = h5py.SoftLink(rng.choice(("/", "/model_weights", name, "/none")))
    elif kind == 3:
        file[name] = h5py.ExternalLink(rng.choice(("/etc/passwd", "other.h5", "")), "/x")
    elif kind == 4:
        file.create_dataset(name, array.shape, array.dtype, external=[("/etc/passwd", 0, array.nbytes or 1)])
    elif kind == 5:
        layout = h5py.VirtualLayout(array.shape, array.dtype)
        layout[...] = h5py.VirtualSource("other.h5", "x", array.shape)
        file.create_virtual_dataset(name, layout)
    elif kind == 6:
        file.create_dataset(name, data=array.astype(rng.choice(DTYPES)))
    elif kind == 7:
        shape = rng.choice(((), (0,), (10**9, 10**9), (2**40,), array.shape[::-1], (*array.shape, 1), (1,) * 8))
        file.create_dataset(name, shape, "f4", chunks=True if shape else None)
    elif kind == 8:
        options = rng.choice(
            ({"compression": "gzip"}, {"compression": "lzf"}, {"fletcher32": True}, {"shuffle": True})
        )
        file.create_dataset(name, data=array, chunks=array.shape or None, **options)
    elif kind == 9:
        file.create_dataset(name, array.shape, "f4", maxshape=(None,) * array.ndim, chunks=(2**13,) * array.ndim)
    elif kind == 10:
        file.create_dataset(
            name, array.shape, rng.choice((h5py.ref_dtype, h5py.string_dtype(), h5py.vlen_dtype("f4")))
        )
    else:
        file.create_group(name)


def _attribute(rng: Random, item: Any) -> None:
    values: tuple[Any, ...] = (
        0,
        "text",
        b"\xff\xfe",
        np.zeros(0),
        np.zeros((3, 3)),
        np.array([b"a", b"b"]),
        h5py.Empty("f4"),
        "x" * 5000,
        item.ref,
    )
    names = list(item.attrs)
    name = rng.choice((*names, "weight_names", "weight_names0", "name", "model_config", "layer_names", "backend"))
    if rng.random() < 0.2 and name in item.attrs:
        del item.attrs[name]
    else:
        item.attrs[name] = rng.choice(values)


def edited_npz(rng: Random, data: bytes) -> bytes:
    """Edit an array of an archive, its header, its name, or how it is stored."""
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        members = {name: old.read(name) for name in old.namelist()}
    name = rng.choice(list(members))
    kind = rng.randrange(8)
    if kind < 3:
        members[name] = _array(rng, np.load(io.BytesIO(members[name]), allow_pickle=False))
    elif kind == 3:
        members[name] = _header(rng, members[name])
    elif kind == 4:
        del members[name]
    elif kind == 5:
        members[rng.choice(("x.npy", "y.npy", "../x.npy", "x", "z.npy"))] = members[name]
    elif kind == 6:
        members[name] = rng.choice((b"", b"text", b"\x93NUMPY", members[name][:40], members[name] + b"more"))
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    return zip_bytes(members, method)


def _array(rng: Random, array: Any) -> bytes:
    """Return an array like the one given as a file."""
    kind = rng.randrange(7)
    if kind == 0 and array.dtype.kind in "fiu":
        array = array.astype(rng.choice(DTYPES))
    elif kind == 1 and array.dtype.kind == "f" and array.size:
        array.flat[rng.randrange(array.size)] = rng.choice(VALUES)
    elif kind == 2:
        array = array[..., None] if rng.random() < 0.5 else array[:-1] if array.ndim else array
    elif kind == 3:
        array = np.zeros(rng.choice(((), (0,), (6, 0), (0, 4, 4, 2), (6, 4), (6, 1, 1))), array.dtype)
    elif kind == 4:
        array = np.asfortranarray(array)
    elif kind == 5:
        array = np.zeros(6, [("a", "f4"), ("b", "i4")])
    elif array.dtype.kind in "iu" and array.size:
        array.flat[rng.randrange(array.size)] = rng.choice((100, 127))
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _header(rng: Random, content: bytes) -> bytes:
    """Write another shape or type over a member's header, which keeps its length."""
    end = content.index(b"\n")
    text = content[10:end].rstrip()
    shape = text[text.index(b"(") : text.index(b")") + 1]
    changes = (
        (
            shape,
            rng.choice((b"(1000000000,)", b"(99999999999,)", b"(-1,)", b"(True,)", b"()", b"(2, 3)", b"(1.5,)")),
        ),
        (shape, b"(" + b"9" * 60 + b",)"),
        (b"False", rng.choice((b"True", b"None", b"0"))),
        (b"'<", rng.choice((b"'>", b"'|", b"'"))),
        (b"'descr': '", rng.choice((b"'descr': '|O", b"'descr': '|V9", b"'descr': 'a"))),
        (text, b"-" * 4000 + b"1"),
        (text, b"(" * 4000 + b")" * 4000),
    )
    old, new = rng.choice(changes)
    changed = text.replace(old, new, 1)
    length = len(changed) + 1
    return content[:8] + (length % 65536).to_bytes(2, "little") + changed + b"\n" + content[end + 1 :]
