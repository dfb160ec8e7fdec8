"""Find a C++ compiler and run it, once for each distinct program."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from kgenn.backends import build_cache
from kgenn.backends.bounded_process import run_bounded
from kgenn.backends.build_cache import cache_directory
from kgenn.backends.left_library import LIBRARY, leave, problem_of
from kgenn.backends.render import without_comments
from kgenn.diagnostics import Diagnostic, KgennError, fail
from kgenn.files.scratch import scratch

_INCLUDE = re.compile(rb'^#include "([^"]+)"', re.MULTILINE)
MAX_LOG_LINES = 12
# After which a compiler is taken to hang: a program of hundreds of layers takes a minute.
COMPILE_SECONDS = 1800.0
VERSION_SECONDS = 60.0
# What a compiler's log says where the disk is full, or may not be written.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


@dataclass(frozen=True)
class Toolchain:
    """What compiles the programs of a target.

    Attributes:
        language: for messages.
        variable: the environment variable that names a compiler, perhaps with arguments.
        candidates: what is looked for where it names none.
        flags: of every compilation.
        link_flags: of the last step, where an undefined symbol shall be an error: later it is one of loading.
        machine: what else the result depends on, such as what -march=native means here.
        missing: the diagnostic's code where there is no compiler.
        install: what helps then.
        needed: the versions that are known to work.
        unit_flags: of the file that depends on the network, after `flags`.
        added: by the user, after all others.
    """

    language: str
    variable: str
    candidates: tuple[str, ...]
    flags: tuple[str, ...]
    link_flags: tuple[str, ...]
    machine: str
    missing: str
    install: str
    needed: str
    unit_flags: tuple[str, ...] = ()
    added: tuple[str, ...] = ()

    @property
    def all_flags(self) -> tuple[str, ...]:
        """Return the flags of the file that depends on the network."""
        return (*self.flags, *self.unit_flags, *self.added)

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
def find_compiler(toolchain: Toolchain, requested: str | None) -> Compiler:
    """Return the compiler that `requested` names, as in CXX="ccache g++", or the first found."""
    for name, *arguments in _requested(toolchain, requested):
        path = shutil.which(name)
        if path:
            command = (path, *arguments)
            return Compiler(command, _run(toolchain, [*command, "--version"], VERSION_SECONDS).stdout)
    what = f"no {toolchain.language} compiler"
    what += f" {requested!r}" if requested else f"; looked for {', '.join(toolchain.candidates)}"
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


def _requested(toolchain: Toolchain, requested: str | None) -> list[list[str]]:
    """Return the commands to look for, each a name and its arguments."""
    try:
        return (
            [shlex.split(requested)]
            if requested and requested.strip()
            else [[name] for name in toolchain.candidates]
        )
    except ValueError as error:
        what = f"is {requested!r}: {str(error).lower()}"
        raise fail(
            toolchain.missing, toolchain.variable, what, "set it to a compiler and its arguments"
        ) from error


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

    A library or an object that is not what was written is made again, in the directory as in the cache.

    Args:
        sources: file names and contents; all but their comments is the program's identity.
        units: the files to compile.
        toolchain: what compiles them.
        directory: where the library is left beside the sources, and looked for first, so that a directory
            that was built runs without a compiler.

    Returns:
        The library's path, in `directory` or in the cache.

    Raises:
        KgennError: the toolchain's code without a compiler, KG502 where it fails, KG606 where the cache cannot be
            written; with KG504 where a damaged library was to be made again.
    """
    program = _digest(sources, toolchain)
    # the name says what it was made from; a process that has opened one library opens no other of its name
    name = LIBRARY.format(program[:16])
    if directory is None:
        return _cached(sources, units, toolchain, program)
    problem = problem_of(directory / name)
    if problem is None:
        return directory / name
    try:
        library = _cached(sources, units, toolchain, program)
    except KgennError as error:
        if not (directory / name).is_file():
            raise
        found = Diagnostic(
            "KG504", str(directory / problem[0]), problem[1], "it is built again if there is a compiler"
        )
        raise KgennError((found, *error.diagnostics)) from error
    if os.access(directory, os.W_OK):
        with suppress(OSError):  # a full disk, say: the library runs from the cache as well
            leave(library, directory / name)
            return directory / name
    return library


def _cached(sources: Mapping[str, bytes], units: Units, toolchain: Toolchain, program: str) -> Path:
    """Return a program's library in the cache, which is made where there is none that is whole."""
    compiler = toolchain.compiler()
    key = build_cache.key(program, str(compiler))
    try:
        library = build_cache.find(key, ".so")
        if library is None:
            cache_directory().mkdir(parents=True, exist_ok=True)
            with scratch(cache_directory() / "build") as place:
                library = build_cache.keep(key, _make(toolchain, compiler, sources, units, place))
    except OSError as error:
        what = f"cannot be written: {error.strerror or error}"
        room = "make room there, or " if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        advice = f"{room}set KGENN_CACHE to a directory that can be written"
        raise fail("KG606", str(cache_directory()), what, advice) from error
    return library


def _digest(sources: Mapping[str, bytes], toolchain: Toolchain) -> str:
    """Return what a library is made from: sources, flags, and this machine."""
    digest = hashlib.sha256(toolchain.machine.encode())
    for flag in (*toolchain.all_flags, *toolchain.link_flags):
        digest.update(flag.encode() + b"\0")
    for name in sorted(sources):
        digest.update(name.encode() + b"\0" + without_comments(sources[name]) + b"\0")
    return digest.hexdigest()


def _make(
    toolchain: Toolchain, compiler: Compiler, sources: Mapping[str, bytes], units: Units, place: Path
) -> Path:
    """Compile the shared file, unless it is in the cache, and the main one, and link them."""
    for name, content in sources.items():
        (place / name).write_bytes(content)
    if units.shared is None:
        return _linked(toolchain, compiler, units.main, place)
    common = replace(toolchain, unit_flags=())
    key = build_cache.key(_digest(included(sources, units.shared), common), str(compiler))
    kept = build_cache.find(key, ".o")
    if kept is not None:
        try:
            return _linked(toolchain, compiler, units.main, place, kept)
        except KgennError:  # another compiler's object, say: a fresh one tells whose fault it is
            build_cache.discard(kept)
    made = place / f"{units.shared}.o"
    kept = build_cache.keep(key, _compiled(common, compiler, made, "-c", str(place / units.shared)))
    return _linked(toolchain, compiler, units.main, place, kept)


def _linked(toolchain: Toolchain, compiler: Compiler, main: str, place: Path, *objects: Path) -> Path:
    """Compile the main file, and link it with objects to a library."""
    arguments = ("-shared", *toolchain.link_flags, str(place / main), *map(str, objects))
    return _compiled(toolchain, compiler, place / "network.so", *arguments)


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
    command = [*compiler.command, *toolchain.all_flags, "-o", str(output), *arguments]
    environment = {**os.environ, "TMPDIR": str(output.parent), "LC_ALL": "C"}  # messages that are understood here
    done = _run(toolchain, command, COMPILE_SECONDS, environment)
    if done.returncode == 0 and output.is_file():
        return output
    for number in NO_ROOM:
        if os.strerror(number) in done.stderr:
            raise OSError(number, os.strerror(number))
    code, log = done.returncode, "\n".join(done.stderr.strip().splitlines()[:MAX_LOG_LINES])
    how = f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
    what = f"{how}:\n{log}" if log else f"{how} and wrote no {output.suffix} file"
    advice = f"set {toolchain.variable} to {toolchain.needed}; the build cache is {cache_directory()}"
    raise fail("KG502", " ".join(compiler.command), what, advice)
