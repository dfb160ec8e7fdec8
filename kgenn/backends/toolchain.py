"""Find a compiler and run it, once for each distinct program."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from platformdirs import user_cache_path

from kgenn.backends.render import without_comments
from kgenn.diagnostics import fail

_INCLUDE = re.compile(rb'^#include "([^"]+)"', re.MULTILINE)
MOST_LOG_LINES = 12
LIBRARY = "libkgenn_network-{}.so"


@dataclass(frozen=True)
class Toolchain:
    """What compiles the programs of a target.

    Attributes:
        language: for messages.
        variable: the environment variable that names a compiler, perhaps with arguments.
        candidates: what is looked for where it names none.
        flags: of every compilation.
        machine: what else the result depends on, such as what -march=native means here.
        missing: the diagnostic's code where there is no compiler.
        install: what helps then.
        needed: the versions that are known to work.
    """

    language: str
    variable: str
    candidates: tuple[str, ...]
    flags: tuple[str, ...]
    machine: str
    missing: str
    install: str
    needed: str

    def compiler(self) -> Compiler:
        """Return the compiler that the variable names, or the first found.

        Raises:
            KgennError: of the code `missing` where there is none.
        """
        return find_compiler(self, os.environ.get(self.variable))


@dataclass(frozen=True)
class Compiler:
    """A compiler: its path and the arguments that the variable adds, and what it says of its version."""

    command: tuple[str, ...]
    version: str


@cache
def find_compiler(toolchain: Toolchain, wanted: str | None) -> Compiler:
    """Return the compiler that `wanted` names, as in CXX="ccache g++", or the first found."""
    candidates = [[name] for name in toolchain.candidates]
    for name, *arguments in [shlex.split(wanted)] if wanted and wanted.strip() else candidates:
        path = shutil.which(name)
        if path:
            command = (path, *arguments)
            version = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
            return Compiler(command, version.stdout)
    what = f"no {toolchain.language} compiler"
    what += f" {wanted!r}" if wanted else f"; looked for {', '.join(toolchain.candidates)}"
    raise fail(toolchain.missing, "PATH", what, toolchain.install)


def cache_directory() -> Path:
    """Return where compiled programs are kept: $KGENN_CACHE, or the user's cache directory."""
    chosen = os.environ.get("KGENN_CACHE")
    return Path(chosen) if chosen else user_cache_path("kgenn")


@dataclass(frozen=True)
class Units:
    """What is compiled of a program; the other files are included.

    Attributes:
        main: depends on the network.
        shared: the same for all networks, and compiled once for all; None for none.
    """

    main: str
    shared: str | None = None


def build(sources: Mapping[str, bytes], units: Units, toolchain: Toolchain, directory: Path | None = None) -> Path:
    """Compile sources to a shared library, unless the same program was compiled before.

    Args:
        sources: file names and contents; all but their comments is the program's identity.
        units: the files to compile.
        toolchain: what compiles them.
        directory: where the library is left beside the sources, and looked for first, so that a directory
            that was built runs without a compiler.

    Returns:
        The library's path, in `directory` or in the cache.

    Raises:
        KgennError: the toolchain's code without a compiler, KG502 where it fails, KG606 where the cache cannot
            be written.
    """
    program = _digest(sources, toolchain)
    # the name says what it was made from; a process that has opened one library opens no other of its name
    name = LIBRARY.format(program[:16])
    if directory is not None and (directory / name).is_file():
        return directory / name
    compiler = toolchain.compiler()
    library = _cached(compiler, program, ".so")
    if not library.exists():
        try:
            library.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
                os.replace(_make(toolchain, compiler, sources, units, Path(scratch)), library)
        except OSError as error:
            advice = "set KGENN_CACHE to a directory that can be written"
            raise fail("KG606", str(library.parent), error.strerror or str(error), advice) from error
    if directory is not None and os.access(directory, os.W_OK):
        _leave(library, directory / name)
        return directory / name
    return library


def _cached(compiler: Compiler, program: str, suffix: str) -> Path:
    """Return where the cache keeps what a compiler makes of a program."""
    key = hashlib.sha256(f"{program} {compiler}".encode()).hexdigest()[:32]
    return cache_directory() / f"{key}{suffix}"


def _digest(sources: Mapping[str, bytes], toolchain: Toolchain) -> str:
    """Return what a library is made from: sources, flags, and this machine."""
    digest = hashlib.sha256(toolchain.machine.encode())
    for flag in toolchain.flags:
        digest.update(flag.encode() + b"\0")
    for name in sorted(sources):
        digest.update(name.encode() + b"\0" + without_comments(sources[name]) + b"\0")
    return digest.hexdigest()


def _leave(library: Path, target: Path) -> None:
    """Copy a library into an output directory, in place of those of older sources."""
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        copy = shutil.copy(library, scratch)
        for old in target.parent.glob(LIBRARY.format("*")):
            old.unlink()
        os.replace(copy, target)


def _make(
    toolchain: Toolchain, compiler: Compiler, sources: Mapping[str, bytes], units: Units, scratch: Path
) -> Path:
    """Compile the shared file, unless it is in the cache, and the main one, and link them."""
    for name, content in sources.items():
        (scratch / name).write_bytes(content)
    objects = []
    if units.shared is not None:
        kept = _cached(compiler, _digest(included(sources, units.shared), toolchain), ".o")
        if not kept.exists():
            made = scratch / f"{units.shared}.o"
            _run(toolchain, compiler, "-c", "-o", str(made), str(scratch / units.shared))
            os.replace(made, kept)
        objects.append(str(kept))
    library = scratch / "network.so"
    _run(toolchain, compiler, "-shared", "-o", str(library), str(scratch / units.main), *objects)
    return library


def included(sources: Mapping[str, bytes], unit: str) -> dict[str, bytes]:
    """Return a file and all that it includes, directly or not."""
    found, waiting = {}, [unit]
    while waiting:
        name = waiting.pop()
        if name in sources and name not in found:
            found[name] = sources[name]
            waiting += [m.decode() for m in _INCLUDE.findall(sources[name])]
    return found


def _run(toolchain: Toolchain, compiler: Compiler, *arguments: str) -> None:
    command = [*compiler.command, *toolchain.flags, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        log = "\n".join(done.stderr.strip().splitlines()[:MOST_LOG_LINES])
        what = f"ended with status {done.returncode}:\n{log}"
        raise fail("KG502", " ".join(compiler.command), what, f"set {toolchain.variable} to {toolchain.needed}")
