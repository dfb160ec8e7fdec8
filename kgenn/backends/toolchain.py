"""Find a C++ compiler and run it, once for each distinct program."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from platformdirs import user_cache_path

from kgenn.diagnostics import fail

CANDIDATES = ("c++", "g++", "clang++")
FLAGS = (
    "-std=c++17",
    "-O3",
    "-march=native",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fPIC",
    "-shared",
    "-pthread",
)
MOST_LOG_LINES = 12


@dataclass(frozen=True)
class Compiler:
    """A compiler: its path, and what `--version` and `-march=native` mean on this machine."""

    path: str
    identity: str


@cache
def find_compiler(wanted: str | None) -> Compiler:
    """Return the compiler named `wanted`, or the first one found.

    Raises:
        KgennError: KG501 where there is none.
    """
    for name in (wanted,) if wanted else CANDIDATES:
        path = shutil.which(name)
        if path:
            # the processor belongs to the identity, since a cache may be shared between machines
            probe = subprocess.run(
                [path, "-march=native", "-E", "-v", "-xc++", os.devnull],
                capture_output=True,
                text=True,
                check=False,
            )
            return Compiler(path, probe.stderr)
    what = f"no C++ compiler {wanted!r}" if wanted else f"no C++ compiler; looked for {', '.join(CANDIDATES)}"
    raise fail("KG501", "PATH", what, "install g++ or clang++ (Debian: apt install g++), or set CXX to one")


def cache_directory() -> Path:
    """Return where compiled programs are kept: $KGENN_CACHE, or the user's cache directory."""
    chosen = os.environ.get("KGENN_CACHE")
    return Path(chosen) if chosen else user_cache_path("kgenn")


def build(sources: Mapping[str, bytes], main: str) -> Path:
    """Compile sources to a shared library, unless the same program was compiled before.

    Args:
        sources: file names and contents; all of them are the program's identity.
        main: the file to compile; the others are included.

    Returns:
        The library's path, in the cache.

    Raises:
        KgennError: KG501 without a compiler, KG502 where it fails, KG606 where the cache cannot be written.
    """
    compiler = find_compiler(os.environ.get("CXX"))
    digest = hashlib.sha256()
    for part in (compiler.path, compiler.identity, *FLAGS):
        digest.update(part.encode() + b"\0")
    for name in sorted(sources):
        digest.update(name.encode() + b"\0" + sources[name] + b"\0")
    library = cache_directory() / f"{digest.hexdigest()[:32]}.so"
    if not library.exists():
        try:
            library.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
                os.replace(_compile(compiler, sources, main, Path(scratch)), library)
        except OSError as error:
            advice = "set KGENN_CACHE to a directory that can be written"
            raise fail("KG606", str(library.parent), error.strerror or str(error), advice) from error
    return library


def _compile(compiler: Compiler, sources: Mapping[str, bytes], main: str, scratch: Path) -> Path:
    for name, content in sources.items():
        (scratch / name).write_bytes(content)
    library = scratch / "network.so"
    command = [compiler.path, *FLAGS, "-o", str(library), str(scratch / main)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        log = "\n".join(done.stderr.strip().splitlines()[:MOST_LOG_LINES])
        what = f"ended with status {done.returncode}:\n{log}"
        raise fail("KG502", compiler.path, what, "set CXX to GCC 9 or later, or Clang 10 or later")
    return library
