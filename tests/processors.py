"""The processors that generated programs are compiled for in tests, and which of them this machine can run."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

FLAGS = ("-std=c++17", "-O2", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-fPIC", "-pthread")
# flags of a processor, and what /proc/cpuinfo must list to run them
PROCESSORS = {
    "portable": (("-DKGENN_PORTABLE",), ()),
    "sse2": (("-march=x86-64",), ("sse2",)),
    "avx2": (("-march=x86-64-v3",), ("avx2", "fma", "bmi2")),
    "avx512": (("-march=x86-64-v4",), ("avx512bw", "avx512vl", "avx512dq")),
    "avx512-vnni": (("-march=x86-64-v4", "-mavx512vnni"), ("avx512bw", "avx512vl", "avx512_vnni")),
    "amx": (("-march=x86-64-v4", "-mamx-tile", "-mamx-int8"), ("avx512bw", "avx512vl", "amx_int8")),
}


def refusal(processor: str) -> str:
    """Return why this machine cannot run the programs of a processor; empty if it can."""
    needed = PROCESSORS[processor][1]
    if not needed:
        return ""
    if platform.machine() != "x86_64" or not Path("/proc/cpuinfo").exists():
        return "needs Linux on x86-64"
    listed = set(Path("/proc/cpuinfo").read_text().split())
    missing = [name for name in needed if name not in listed]
    return f"the processor lacks {', '.join(missing)}" if missing else ""


def flags_of(processor: str) -> tuple[str, ...]:
    """Return the compiler's flags for a processor."""
    return (*FLAGS, *PROCESSORS[processor][0])


def shared_library(directory: Path, processor: str) -> Path:
    """Compile a program for a processor and return the library."""
    library = directory / f"network-{processor}.so"
    sources = [str(directory / unit) for unit in ("network.cpp", "product.cpp")]
    subprocess.run(["g++", *flags_of(processor), "-shared", "-o", str(library), *sources], check=True)
    return library
