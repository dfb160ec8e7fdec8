"""Output directories: byte-identical, written whole or not at all, and refused where they are damaged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covering import leading
from kgenn.artifact import directory as artifact
from kgenn.artifact.directory import SCHEMA, Artifact, is_output, read_directory, write_artifact
from kgenn.backends import TARGETS
from kgenn.diagnostics import KgennError
from kgenn.files.checksums import IGNORE, sha256_of
from kgenn.files.output import write_file
from kgenn.ir.serialise import npz_bytes
from kgenn.ir.text import network_text
from looped import looped
from networks import ENCODERS, RECIPES
from recordings import conversion, converted

RECORD = {"model": {"file": "m.h5"}, "notes": ["bé"], "options": {"percentile": 99.9}}


def contents(directory: Path) -> dict[str, bytes]:
    paths = sorted(p for p in directory.rglob("*") if p.is_file() and p.name != IGNORE)
    return {str(p.relative_to(directory)): p.read_bytes() for p in paths}


def files_of(name: str, encoder: str = "direct", target: str = "cpu") -> dict[str, bytes]:
    network = replace(converted(name, encoder), origin=RECORD)
    return Artifact(network, target).files(TARGETS.get(target)().emit(network))


@pytest.mark.slow
@pytest.mark.parametrize("target", leading(["cpu", "reference"]))
@looped("name", RECIPES)
def test_the_same_network_gives_the_same_bytes(name: str, target: str) -> None:
    conversion.cache_clear()
    first = files_of(name, "poisson", target)
    conversion.cache_clear()
    assert files_of(name, "poisson", target) == first


# every network, and every encoder; all pairs survive storage in tests/ir/test_network_ir.py
@looped("name, encoder", zip(RECIPES, cycle(ENCODERS), strict=False))
def test_a_directory_holds_the_whole_network(tmp_path: Path, name: str, encoder: str) -> None:
    write_artifact(tmp_path / name, files_of(name, encoder, "reference"))
    read = read_directory(tmp_path / name)
    assert network_text(read.network) == network_text(converted(name, encoder))
    assert read.target == "reference"
    assert read.network.origin == RECORD


@pytest.mark.quick
def test_the_manifest_is_sorted_ascii_without_paths_or_times(tmp_path: Path) -> None:
    text = files_of("dense")[artifact.MANIFEST]
    assert json.loads(text) == json.loads(json.dumps(json.loads(text), sort_keys=True))
    assert text.isascii()
    assert str(tmp_path).encode() not in text


def test_archives_are_readable_by_numpy_and_have_no_dates(tmp_path: Path) -> None:
    arrays = {"a": np.arange(3), "b.c": np.array(2.5)}
    (tmp_path / "a.npz").write_bytes(npz_bytes(arrays))
    with np.load(tmp_path / "a.npz") as read:
        assert all(np.array_equal(read[name], array) for name, array in arrays.items())
    assert npz_bytes(arrays) == npz_bytes(arrays)


@pytest.mark.quick
def test_an_older_output_is_replaced_whole(tmp_path: Path) -> None:
    write_artifact(tmp_path / "out", files_of("dense", target="genn-cpu"))
    write_artifact(tmp_path / "out", files_of("conv_same"))
    assert contents(tmp_path / "out") == files_of("conv_same")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_folders_on_the_way_are_made(tmp_path: Path) -> None:
    write_artifact(tmp_path / "a" / "b" / "out", files_of("dense"))
    assert is_output(tmp_path / "a" / "b" / "out")


def test_an_empty_directory_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_artifact(tmp_path / "out", files_of("dense"))
    assert is_output(tmp_path / "out")


def test_a_directory_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(KgennError, match=r"KG606.*not an output of kgenn"):
        write_artifact(tmp_path, files_of("dense"))
    (tmp_path / "file").write_text("precious")
    with pytest.raises(KgennError, match="KG606"):
        write_artifact(tmp_path / "file", files_of("dense"))
    assert sorted(contents(tmp_path)) == ["file", "thesis.tex"]


@pytest.mark.parametrize("older", [False, True])
def test_a_full_disk_while_writing_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, older: bool
) -> None:
    path = tmp_path / "p.npz"
    if older:
        write_file(path, b"old")
    before = contents(tmp_path)

    def write_bytes(self: Path, content: bytes) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    with pytest.raises(KgennError, match="KG606"):
        write_file(path, b"new")
    with pytest.raises(KgennError, match="KG606"):
        write_artifact(tmp_path / "out", files_of("dense"))
    assert contents(tmp_path) == before


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(KgennError, match="KG606"):
        write_file(tmp_path / "file" / "p.npz", b"")
    with pytest.raises(KgennError, match="KG606"):
        write_artifact(tmp_path / "file" / "out", files_of("dense"))
    assert (tmp_path / "file").read_text() == "precious"


def test_a_file_is_replaced(tmp_path: Path) -> None:
    write_file(tmp_path / "new" / "f", b"1")
    write_file(tmp_path / "new" / "f", b"2")
    assert contents(tmp_path) == {"new/f": b"2"}


@pytest.mark.quick
def test_what_is_no_output_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(KgennError, match=r"KG605.*has no manifest.json"):
            read_directory(path)


def codes_of(read: Callable[[Path], Any], path: Path) -> list[str]:
    try:
        read(path)
    except KgennError as error:
        return [d.code for d in error.diagnostics]
    return []


def written(directory: Path) -> Path:
    write_artifact(directory, files_of("residual_shortcut", "poisson", "reference"), overwrite=True)
    return directory


def test_another_schema_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "out") / artifact.MANIFEST
    path.write_text(path.read_text().replace(f'"schema": {SCHEMA}', '"schema": 1'))
    with pytest.raises(KgennError, match=r"KG605.*has schema 1"):
        read_directory(tmp_path / "out")


@pytest.mark.parametrize("name", [artifact.MANIFEST, artifact.NETWORK])
@pytest.mark.parametrize("damage", [b"", b"{}", b"[]", b"null", b"\xff\xfe", b"PK\x03\x04"])
def test_a_damaged_file_is_refused(tmp_path: Path, name: str, damage: bytes) -> None:
    (written(tmp_path / "out") / name).write_bytes(damage)
    with pytest.raises(KgennError, match="KG605"):
        read_directory(tmp_path / "out")


@pytest.mark.slow
@settings(max_examples=200)
@given(which=st.sampled_from([artifact.MANIFEST, artifact.NETWORK]), data=st.data())
def test_any_cut_or_changed_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, which: str, data: st.DataObject
) -> None:
    directory = tmp_path_factory.getbasetemp() / "changed"
    path = written(directory) / which
    content = path.read_bytes()
    position = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        path.write_bytes(content[:position])
    else:
        path.write_bytes(content[:position] + data.draw(st.binary(max_size=3)) + content[position + 1 :])
    assert codes_of(read_directory, directory) in ([], ["KG605"])


def test_parts_of_a_manifest_may_not_be_swapped(tmp_path: Path) -> None:
    path = written(tmp_path / "out") / artifact.MANIFEST
    manifest = json.loads(path.read_text())
    for odd in (None, 3, "text", [], {}, {"class": "Path"}, manifest["network"]["inputs"][0]):
        path.write_text(json.dumps({**manifest, "network": odd}))
        with pytest.raises(KgennError, match="KG605"):
            read_directory(tmp_path / "out")


def test_a_digest_is_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    assert sha256_of(tmp_path / "f").startswith("ba7816bf8f01cfea")


# prints the SHA-256 of everything that a method writes for a network, on each target
DIGEST = """
import hashlib
import sys
sys.path[:0] = sys.argv[1:]
from kgenn.artifact.directory import Artifact
from kgenn.backends import TARGETS
from recordings import METHODS, converted
digest = hashlib.sha256()
for converter, lengths in METHODS.values():
    if converter.name != "spike-norm":
        network = converted("max_pool_skip", converter.default_encoder, converter, num_timesteps=lengths[0])
        for target in ("cpu", "genn-cpu", "genn-cuda"):
            files = Artifact(network, target).files(TARGETS.get(target)().emit(network))
            digest.update(repr(sorted(files.items())).encode())
print(digest.hexdigest())
"""


@pytest.mark.slow
def test_no_byte_depends_on_pythons_hash_seed() -> None:
    folders = (str(Path(artifact.__file__).parents[1]), str(Path(__file__).parent))
    digests = {
        subprocess.run(
            [sys.executable, "-c", DIGEST, *folders],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(digests) == 1
    assert digests != {b""}
