"""Find a C++ compiler and run it, once for each distinct program."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from platformdirs import user_cache_path

from kgenn.backends.bounded_process import run_bounded
from kgenn.backends.render import without_comments
from kgenn.checksums import read_sums, sha256_of, sums
from kgenn.diagnostics import fail
from kgenn.scratch import scratch

_INCLUDE = re.compile(rb'^#include "([^"]+)"', re.MULTILINE)
MOST_LOG_LINES = 12
# After which a compiler is taken to hang: a program of hundreds of layers takes a minute.
COMPILE_SECONDS = 1800.0
VERSION_SECONDS = 60.0
LIBRARY = "libkgenn_network-{}.so"
# Beside a library in an output directory, its checksum.
SUM = ".sha256"
LEAVES = (LIBRARY.format("*"), LIBRARY.format("*") + SUM)


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
    for name, *arguments in _wanted(toolchain, wanted):
        path = shutil.which(name)
        if path:
            command = (path, *arguments)
            return Compiler(command, _run(toolchain, [*command, "--version"], VERSION_SECONDS).stdout)
    what = f"no {toolchain.language} compiler"
    what += f" {wanted!r}" if wanted else f"; looked for {', '.join(toolchain.candidates)}"
    raise fail(toolchain.missing, "PATH", what, toolchain.install)


def _run(
    toolchain: Toolchain, command: Sequence[str], seconds: float, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a compiler.

    Raises:
        KgennError: the toolchain's code where it cannot be started, KG502 where it does not end.
    """
    try:
        return run_bounded(command, seconds, environment)
    except OSError as error:
        what = f"cannot be started: {error.strerror or error}"
        raise fail(toolchain.missing, command[0], what, f"set {toolchain.variable} to a compiler") from error
    except subprocess.TimeoutExpired as error:
        what = f"did not end within {seconds:g} s"
        advice = f"run it by hand, or set {toolchain.variable} to another one"
        raise fail("KG502", " ".join(command[:2]), what, advice) from error


def _wanted(toolchain: Toolchain, wanted: str | None) -> list[list[str]]:
    """Return the commands to look for, each a name and its arguments."""
    try:
        return [shlex.split(wanted)] if wanted and wanted.strip() else [[name] for name in toolchain.candidates]
    except ValueError as error:
        what = f"is {wanted!r}: {str(error).lower()}"
        raise fail(
            toolchain.missing, toolchain.variable, what, "set it to a compiler and its arguments"
        ) from error


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
            with scratch(library.with_name("build")) as place:
                os.replace(_make(toolchain, compiler, sources, units, place), library)
        except OSError as error:
            advice = "make room there, or set KGENN_CACHE to a directory that can be written"
            raise fail(
                "KG606", str(library.parent), f"cannot be written: {error.strerror or error}", advice
            ) from error
    if directory is not None and os.access(directory, os.W_OK):
        with suppress(OSError):  # a full disk, say: the library runs from the cache as well
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
    """Copy a library into an output directory, in place of those of older sources, with its checksum."""
    with scratch(target.with_name("library")) as place:
        copy, checksum = Path(shutil.copy(library, place)), place / "sum"
        checksum.write_bytes(sums({target.name: copy.read_bytes()}))
        for old in (path for pattern in LEAVES for path in target.parent.glob(pattern)):
            if not old.name.startswith(target.name):  # which another process may have left, and opened, already
                old.unlink(missing_ok=True)
        os.replace(checksum, target.with_name(target.name + SUM))
        os.replace(copy, target)


def damaged(directory: Path) -> Iterator[tuple[str, str]]:
    """Yield the name of each library of an output directory that is not what was left, and what is wrong."""
    for library in sorted(directory.glob(LEAVES[0])):
        path = library.with_name(library.name + SUM)
        try:
            if read_sums(path.read_bytes()) != {library.name: sha256_of(library)}:
                yield library.name, "is not what was built"
        except FileNotFoundError:
            yield library.name, f"has no checksum {path.name}"
        except (OSError, ValueError) as error:
            yield path.name, str(error)


def _make(
    toolchain: Toolchain, compiler: Compiler, sources: Mapping[str, bytes], units: Units, place: Path
) -> Path:
    """Compile the shared file, unless it is in the cache, and the main one, and link them."""
    for name, content in sources.items():
        (place / name).write_bytes(content)
    objects = []
    if units.shared is not None:
        kept = _cached(compiler, _digest(included(sources, units.shared), toolchain), ".o")
        if not kept.exists():
            made = place / f"{units.shared}.o"
            os.replace(_compiled(toolchain, compiler, made, "-c", str(place / units.shared)), kept)
        objects.append(str(kept))
    main = str(place / units.main)
    return _compiled(toolchain, compiler, place / "network.so", "-shared", main, *objects)


def included(sources: Mapping[str, bytes], unit: str) -> dict[str, bytes]:
    """Return a file and all that it includes, directly or not."""
    found, waiting = {}, [unit]
    while waiting:
        name = waiting.pop()
        if name in sources and name not in found:
            found[name] = sources[name]
            waiting += [m.decode() for m in _INCLUDE.findall(sources[name])]
    return found


def _compiled(toolchain: Toolchain, compiler: Compiler, output: Path, *arguments: str) -> Path:
    """Return the file that a compiler wrote.

    Raises:
        KgennError: KG502 where it wrote none, KG606 where it had no room.
    """
    command = [*compiler.command, *toolchain.flags, "-o", str(output), *arguments]
    done = _run(toolchain, command, COMPILE_SECONDS, {**os.environ, "TMPDIR": str(output.parent)})
    if done.returncode == 0 and output.is_file():
        return output
    if os.strerror(errno.ENOSPC) in done.stderr:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    code, log = done.returncode, "\n".join(done.stderr.strip().splitlines()[:MOST_LOG_LINES])
    how = f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
    what = f"{how}:\n{log}" if log else f"{how} and wrote no {output.suffix} file"
    raise fail("KG502", " ".join(compiler.command), what, f"set {toolchain.variable} to {toolchain.needed}")
