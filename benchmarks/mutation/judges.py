"""Tell whether the tests' claims notice a mutant.

A judge gets the name of a file and its changed text, and returns a verdict. What the claims need that the mutant
does not touch, networks and reference recordings, is made once.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from kgenn.backends import render
from kgenn.backends.base import RunOptions, SynapseAlgorithm
from kgenn.backends.build_cache import cache_directory
from kgenn.backends.cpp_library import CppSimulator
from kgenn.backends.cpp_program import emit_cpp
from kgenn.backends.program_context import WEIGHTS
from kgenn.backends.reference import ReferenceSimulator
from kgenn.backends.toolchain import included
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from kgenn.ir.recording import Recording

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from processors import PROCESSORS, flags_of, refusal  # noqa: E402 (the tests' own modules)
from recordings import EVERYTHING, METHODS, converted, differences, drive_of  # noqa: E402

Verdict = Literal["killed", "survived", "stillborn"]
# Of the processor for one mutant, and on the clock, which a busy machine needs; what takes longer hangs.
CPU_SECONDS, SECONDS = 120, 1200
MEMORY = 4 << 30
FIRST_SAMPLE = 1_000_003
COMPILER_ERROR = re.compile(rb"\.(cu|cuh|cpp|hpp|h):\d+:\d+: (fatal )?error:")
WAYS: tuple[tuple[SynapseAlgorithm, int], ...] = (("auto", 1), ("events", 3), ("dense", 2))
# every kind of connection, stage, neuron, encoder and readout: (network, method, encoder, readout)
NETWORKS = (
    ("residual_shortcut", "data-norm", "poisson-signed", None),
    ("concat_pool_conv", "few-spike", "direct", None),
    ("max_pool_overlapping_same", "ttfs", "ttfs", None),
    ("max_pool_skip", "burst", "poisson", None),
    ("conv_groups", "calibrated", "direct", None),
    ("wide_33", "few-spike", "few-spike-signed", None),
    ("concat_rows", "data-norm", "if", "current"),
    ("relu_output", "data-norm", "spike", "spike-count"),
    ("pool_input", "ttfs", "direct", None),
    ("depthwise", "burst", "direct", None),
    ("upsample_bilinear_conv", "data-norm", "poisson", None),
)


@dataclass(frozen=True, eq=False)
class Expected:
    """A network with what it does."""

    network: Network
    drive: Array
    recording: Recording


@cache
def expected(number: int) -> Expected:
    """Return one of `NETWORKS`."""
    name, method, encoder, readout = NETWORKS[number]
    converter, lengths = METHODS[method]
    # those with a readout of their own run more steps than one block of the program
    steps = lengths[0 if readout is None else -1]
    network = converted(name, encoder, converter, readout=readout, num_timesteps=steps)  # type: ignore[arg-type]
    drive = drive_of(network, encoder, 5)
    return Expected(network, drive, ReferenceSimulator(network).run(drive, FIRST_SAMPLE, EVERYTHING))


def in_child(work: Callable[[], Verdict]) -> Verdict:
    """Do work in a process of its own: one that crashes, hangs or takes all memory has noticed the mutant."""
    verdicts: tuple[Verdict, ...] = ("survived", "killed", "stillborn")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setpgid(0, 0)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
            signal.alarm(SECONDS)
            code = verdicts.index(work())
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return verdicts[os.WEXITSTATUS(status)] if os.WIFEXITED(status) else "killed"


def judge_cpp(name: str, text: str) -> Verdict:
    """Compare generated C++ with the reference: every network, processor, way and number of threads."""
    for number in range(len(NETWORKS)):
        expected(number)  # in this process, for all mutants
    return in_child(lambda: _cpp(name, text))


def _cpp(name: str, text: str) -> Verdict:
    loader = render.environment().loader
    assert loader is not None
    original = loader.get_source

    def changed(environment, template):  # type: ignore[no-untyped-def]
        source = original(environment, template)
        return (text, source[1], lambda: False) if template == name else source

    loader.get_source = changed  # type: ignore[method-assign]
    for number in range(len(NETWORKS)):
        case = expected(number)
        files = emit_cpp(case.network).files
        # vectors and the matrix unit stand in the products alone, which are the same for all networks
        able = [p for p in ("amx", "portable", "avx2", "sse2", "avx512") if p in PROCESSORS and not refusal(p)]
        for processor in able if number in (0, 5) else able[:1]:
            library = built(files, processor)
            if library is None:
                return "stillborn"
            for way, threads in WAYS:
                options = RunOptions(threads, synapses=way)
                simulator = CppSimulator(case.network, ctypes.CDLL(str(library)), files[WEIGHTS], options)
                found = simulator.run(case.drive, FIRST_SAMPLE, EVERYTHING)
                if list(differences(case.recording, found)):
                    return "killed"
    return "survived"


def built(files: dict[str, bytes], processor: str) -> Path | None:
    """Return the library of a program, or None where the compiler refuses it."""
    objects = []
    for unit, flags in (("network.cpp", flags_of("portable")), ("product.cpp", flags_of(processor))):
        made = compiled_unit(files, unit, (*flags, "-O0"))
        if made is None:
            return None
        objects.append(str(made))
    library = Path(tempfile.mkdtemp(dir=cache_directory())) / "network.so"
    done = subprocess.run(["g++", "-shared", "-pthread", "-o", str(library), *objects], check=False)
    return library if done.returncode == 0 else None


def compiled_unit(files: dict[str, bytes], unit: str, flags: tuple[str, ...]) -> Path | None:
    """Compile a file with what it includes, unless the same was compiled before."""
    sources = included(files, unit)
    digest = hashlib.sha256(repr((flags, sorted(sources.items()))).encode()).hexdigest()[:32]
    kept = cache_directory() / f"{digest}.o"
    if not kept.exists():
        with tempfile.TemporaryDirectory(dir=cache_directory()) as folder:
            for name, content in sources.items():
                (Path(folder) / name).write_bytes(content)
            made = Path(folder) / "unit.o"
            command = ["g++", *flags, "-c", "-o", str(made), str(Path(folder) / unit)]
            if subprocess.run(command, check=False).returncode != 0:
                return None
            made.replace(kept)
    return kept


class PytestJudge:
    """Run tests on a copy of the repository until one fails.

    Attributes:
        copy: of the repository.
        tests: arguments of pytest.
    """

    def __init__(self, tests: tuple[str, ...], environment: dict[str, str] | None = None) -> None:
        self.copy = Path(tempfile.mkdtemp(prefix="kgenn-mutation-"))
        self.tests = tests
        self.environment = {**os.environ, **(environment or {}), "PYTHONPATH": str(self.copy)}
        for name in ("kgenn", "templates", "tests", "benchmarks"):
            shutil.copytree(ROOT / name, self.copy / name, ignore=shutil.ignore_patterns("__pycache__", ".git"))
        shutil.copy(ROOT / "pyproject.toml", self.copy)

    def __call__(self, name: str, text: str) -> Verdict:
        path = self.copy / name
        before = path.read_text()
        path.write_text(text)
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *self.tests]
        try:
            done = subprocess.run(
                command, cwd=self.copy, env=self.environment, capture_output=True, timeout=900, check=False
            )
        except subprocess.TimeoutExpired:
            return "killed"
        finally:
            path.write_text(before)
        if done.returncode == 0:
            return "survived"
        return "stillborn" if COMPILER_ERROR.search(done.stdout) else "killed"
