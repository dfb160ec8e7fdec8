"""The build cache: what was cut off or changed is made again, and what cannot be linked or loaded is told."""

from __future__ import annotations

import ctypes
import shutil
from pathlib import Path

import numpy as np
import pytest

import kgenn
from covering import leading
from faulty import names, script
from kgenn.artifact.directory import Artifact, write_artifact
from kgenn.backends import TARGETS, build_cache, cpp
from kgenn.backends.cpp_library import open_library
from kgenn.backends.toolchain import Units, build
from kgenn.diagnostics import KgennError
from recordings import converted

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
UNITS = Units("main.cpp", "shared.cpp")
SOURCES = {
    "main.cpp": b'#include "shared.hpp"\nextern "C" int kgenn_create() { return answer(); }\n',
    "shared.cpp": b'#include "shared.hpp"\nint answer() { return 42; }\n',
    "shared.hpp": b"int answer();\n",
}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the cache an empty directory, and the compiler one that counts what it compiles."""
    monkeypatch.setenv("KGENN_CACHE", str(tmp_path / "cache"))
    log = f'case "$*" in *--version*) ;; *) echo x >> "{tmp_path / "log"}";; esac'
    monkeypatch.setenv("CXX", str(script(tmp_path, f'{log}\nexec g++ "$@"')))
    return tmp_path / "cache"


def compilations(cache: Path) -> int:
    return len((cache.parent / "log").read_text().splitlines())


def answer(library: Path) -> int:
    # under a name of its own: a process that has opened one library opens no other of its name
    copy = shutil.copy(library, library.parent.parent / f"copy-{len(list(library.parent.parent.iterdir()))}.so")
    return int(ctypes.CDLL(str(copy)).kgenn_create())


def spoil(path: Path, damage: str) -> None:
    whole = path.read_bytes()
    at = len(whole) // 2
    path.unlink()  # this process may have the file mapped: a new one takes its place
    path.write_bytes(
        {"empty": b"", "cut off": whole[:at], "changed": whole[:at] + b"\xa5" + whole[at + 1 :]}[damage]
    )


@pytest.mark.parametrize("damage", ["empty", "cut off", "changed"])
def test_a_damaged_library_or_object_in_the_cache_is_made_again(cache: Path, damage: str) -> None:
    library = build(SOURCES, UNITS, cpp.toolchain())
    whole = {path.name: path.read_bytes() for path in cache.iterdir()}
    assert sorted(Path(name).suffix for name in whole) == [".o", ".so"]
    assert (answer(library), compilations(cache)) == (42, 2)
    spoil(library, damage)
    assert answer(build(SOURCES, UNITS, cpp.toolchain())) == 42
    assert compilations(cache) == 3  # the object was whole
    for path in cache.iterdir():
        spoil(path, damage)
    assert answer(build(SOURCES, UNITS, cpp.toolchain())) == 42
    assert compilations(cache) == 5
    assert {path.name: path.read_bytes() for path in cache.iterdir()} == whole


def test_an_object_that_cannot_be_linked_is_compiled_again(cache: Path) -> None:
    build(SOURCES, UNITS, cpp.toolchain())
    (kept,) = cache.glob("*.o")
    other = {**SOURCES, "shared.cpp": b"int other() { return 0; }\n"}
    with pytest.raises(KgennError):
        build(other, UNITS, cpp.toolchain())
    (wrong,) = (path for path in cache.glob("*.o") if path != kept)
    key, checksum = kept.stem.rpartition("-")[0], wrong.stem.rpartition("-")[2]
    shutil.copy(wrong, kept.with_name(f"{key}-{checksum}.o"))  # as whole as can be, and of another program
    kept.unlink()
    (library,) = cache.glob("*.so")
    library.unlink()
    assert answer(build(SOURCES, UNITS, cpp.toolchain())) == 42
    assert kept.exists()


def test_an_undefined_symbol_is_an_error_of_the_build_that_names_the_cache(cache: Path) -> None:
    sources = {**SOURCES, "shared.cpp": b"int other() { return 0; }\n"}
    with pytest.raises(KgennError) as caught:
        build(sources, UNITS, cpp.toolchain())
    (found,) = caught.value.diagnostics
    assert found.code == "KG502"
    assert "answer" in found.what
    assert str(cache) in found.help
    assert list(cache.glob("*.so")) == []


def test_a_library_without_the_program_s_symbols_is_kg504_with_the_cache(cache: Path) -> None:
    library = build(SOURCES, UNITS, cpp.toolchain())
    with pytest.raises(KgennError, match=r"KG504.*it has no kgenn_close, kgenn_run") as caught:
        open_library(library)
    assert str(cache) in str(caught.value)
    (cache / "text.so").write_bytes(b"no library")
    with pytest.raises(KgennError, match=r"KG504.*cannot be loaded") as caught:
        open_library(cache / "text.so")
    assert str(cache) in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("damage", leading(["empty", "cut off", "changed"]))
def test_a_damaged_library_in_an_output_directory_is_built_again(cache: Path, tmp_path: Path, damage: str) -> None:
    network = converted("dense", "if")
    out = tmp_path / "out"
    write_artifact(out, Artifact(network, "cpu").files(TARGETS.get("cpu")().emit(network)))
    x = np.full((2, *network.input_shape), 0.5, np.float32)
    expected = kgenn.open_directory(out).evaluate(x).scores
    moved = shutil.move(out, tmp_path / "moved")
    (library,) = Path(moved).glob("*.so")
    whole = library.read_bytes()
    spoil(library, damage)
    assert np.array_equal(kgenn.open_directory(moved).evaluate(x).scores, expected)
    assert library.read_bytes() == whole


def test_a_damaged_library_without_a_compiler_is_told_with_what_is_missing(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(SOURCES, UNITS, cpp.toolchain(), tmp_path)
    (library,) = tmp_path.glob("libkgenn*.so")
    spoil(library, "cut off")
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(KgennError) as caught:
        build(SOURCES, UNITS, cpp.toolchain(), tmp_path)
    assert [found.code for found in caught.value.diagnostics] == ["KG504", "KG501"]
    assert str(library) in str(caught.value)


def test_a_damaged_file_in_a_cache_that_cannot_be_written_is_passed_over(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(SOURCES, UNITS, cpp.toolchain())
    (library,) = cache.glob("*.so")
    spoil(library, "cut off")

    def unlink(self: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", unlink)
    assert build_cache.find(library.stem.rpartition("-")[0], ".so") is None
    assert library.name in names(cache)


def test_a_cache_that_is_a_file_is_no_matter_of_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = converted("dense", "if")
    (tmp_path / "file").touch()
    monkeypatch.setenv("KGENN_CACHE", str(tmp_path / "file"))
    with pytest.raises(KgennError, match="KG606") as caught:
        kgenn.compile(network, "cpu")
    assert caught.value.diagnostics[0].help == "set KGENN_CACHE to a directory that can be written"
