"""The system headers of generated programs, compiled once for all programs of a run of the tests."""

from __future__ import annotations

import hashlib
import re
import shlex
import subprocess
from pathlib import Path

from kgenn.backends.cpp import toolchain
from kgenn.diagnostics import KgennError
from kgenn.files.output import write_file
from kgenn.files.scratch import scratch

TEMPLATES = Path(__file__).parents[1] / "templates/cpp"
_SYSTEM = re.compile(r"^ *# *include <([^>]+)>", re.MULTILINE)


def flags_of(folder: Path, precompile: bool) -> str:
    """Return the flags of the tests' programs: nothing is optimised, and the headers of the system come first.

    Those are half of what g++ reads. A compiler reads them precompiled where they are there, and as they are
    elsewhere.

    Args:
        folder: where they are kept.
        precompile: the programs are many, so that it pays.
    """
    names = {name for path in TEMPLATES.glob("*.j2") for name in _SYSTEM.findall(path.read_text(encoding="utf-8"))}
    text = "".join(f"#if __has_include(<{name}>)\n#include <{name}>\n#endif\n" for name in sorted(names))
    folder.mkdir(parents=True, exist_ok=True)
    header = folder / f"system-{hashlib.sha256(text.encode()).hexdigest()[:16]}.hpp"
    if not header.exists():
        write_file(header, text.encode())
    made = header.with_suffix(".hpp.gch")
    if precompile and not made.exists():
        _precompiled(header, made)
    return shlex.join(["-O0", "-include", str(header)])


def _precompiled(header: Path, made: Path) -> None:
    """Compile a header, where there is a compiler; the tests of its absence run without."""
    try:
        tools = toolchain()
        command = [*tools.compiler().command, *tools.flags, "-O0"]
    except KgennError:
        return
    with scratch(made) as place:
        fresh = place / made.name
        done = subprocess.run([*command, "-x", "c++-header", str(header), "-o", str(fresh)], check=False)
        if done.returncode == 0:
            fresh.replace(made)
