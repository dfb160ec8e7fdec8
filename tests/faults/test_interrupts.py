"""Ctrl-C: exit code 130, one line, nothing half-written; and a reader that leaves."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Timer
from typing import Any

import pytest

from covering import leading
from faulty import PATIENCE, Process, compile_arguments, gone, kgenn, names, script
from kgenn.backends.bounded_process import run_bounded
from kgenn.backends.interruptible import interruptible
from outcome import CALIBRATION, IMAGES, MODEL, ROOT

Start = Callable[..., Process]
SWEEP = f"""title = "a test"
models = "{MODEL}"
data = "{IMAGES}"
scale = "1/255"
limit = 500
target = "reference"
timesteps = 500
converter = "data-norm"
calibration = {{ data = "{CALIBRATION}", samples = 32 }}
"""

# Runs a command line, and interrupts it at the first call of a function, as if Ctrl-C were pressed there.
INTERRUPTED = """
import os, signal, sys
from importlib import import_module
import kgenn.cli
module, _, path = sys.argv.pop(1).partition(":")
owner = import_module(module)
*owners, name = path.split(".")
for part in owners:
    owner = getattr(owner, part)
whole = getattr(owner, name)
def interrupt(*_, **__):
    setattr(owner, name, whole)
    os.kill(os.getpid(), signal.SIGINT)
setattr(owner, name, interrupt)
kgenn.cli.main()
"""


@pytest.mark.parametrize(
    ("place", "arguments"),
    leading(
        [
            ("kgenn.files.output:put", compile_arguments(Path("out"))),
            ("kgenn.conversion.convert:convert_graph", compile_arguments(Path("out"))),
            ("kgenn.files.scratch:_lock", ("run", "DIR", "--data", IMAGES, "--limit", 4, "--trace", "t.npz")),
            (
                "kgenn.trace:TraceWriter.__enter__",
                ("run", "DIR", "--data", IMAGES, "--limit", 4, "--trace", "t.npz"),
            ),
            (
                "kgenn.trace:TraceWriter._finish",
                ("run", "DIR", "--data", IMAGES, "--limit", 4, "--trace", "t.npz"),
            ),
            ("kgenn.metrics.layer_error:ErrorTally.add", ("compare", "DIR", "--data", IMAGES, "--limit", 4)),
            ("kgenn.files.durable:os.replace", ("inspect", "DIR", "--picture", "p.svg")),
            ("kgenn.frontend:_load_file", ("check", MODEL)),
            ("kgenn.artifact.credits:credits_of", ("cite", "DIR")),
            ("kgenn.artifact.directory:read_directory", ("export", "DIR", "--to", "nir", "-o", "n.nir")),
            ("kgenn.bench.sweep:wait", ("bench", "sweep.toml", "-o", "results", "--workers", 1)),
            ("kgenn.report.sweep.results:read_results", ("report", "results", "-o", "report")),
            ("click:echo", ("list", "methods")),
        ],
        2,
    ),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_interrupted_command_ends_with_130_and_one_line_and_leaves_nothing_half_written(
    compiled: Path, tmp_path: Path, place: str, arguments: tuple[object, ...]
) -> None:
    (tmp_path / "sweep.toml").write_text(SWEEP)
    words = [str(compiled) if word == "DIR" else str(word) for word in arguments]
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, place, *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "interrupted\n")
    kept = {"sweep.toml", "results"} if arguments[0] == "bench" else {"sweep.toml"}
    assert set(names(tmp_path)) == kept


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes by Linux' /proc")
def test_an_interrupt_ends_a_compiler_that_hangs_and_all_that_it_started(tmp_path: Path, start: Start) -> None:
    started = tmp_path / "started"
    waiting = f"sleep 1000 & echo $! > {started}.new; mv {started}.new {started}; wait"
    compiler = script(tmp_path, f'case "$*" in *--version*) echo 1;; *) {waiting};; esac')
    cache, output = tmp_path / "cache", tmp_path / "out"
    process = start(*compile_arguments(output, "--target", "cpu"), CXX=str(compiler), KGENN_CACHE=str(cache))
    process.until(started.exists)
    process.interrupt()
    done = process.outcome()
    assert (done.code, done.out, done.err) == (130, "", "interrupted\n")
    assert names(cache) == []
    gone(int(started.read_text()))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes by Linux' /proc")
@pytest.mark.parametrize("moment", ["starts", "has ended and left another"])
def test_an_interrupt_ends_a_command_that(moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = tmp_path / "started"
    waits = "wait" if moment == "starts" else ""
    command = script(tmp_path, f"sleep 1000 & echo $! > {started}.new; mv {started}.new {started}; {waits}")

    class Interrupted(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            while not started.exists() or (moment != "starts" and self.poll() is None):
                time.sleep(0.002)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_bounded([str(command)], PATIENCE)
    gone(int(started.read_text()))


@pytest.mark.slow
def test_an_interrupted_sweep_says_one_line_whatever_its_workers_do(tmp_path: Path, start: Start) -> None:
    (tmp_path / "sweep.toml").write_text(SWEEP)
    process = start("bench", tmp_path / "sweep.toml", "-o", tmp_path / "results", "--workers", 2)
    process.until((tmp_path / "results/sweep.json").exists)  # workers start: they import what they need
    process.interrupt()
    done = process.outcome()
    assert (done.code, done.out, done.err) == (130, "", "interrupted\n")


def test_an_interrupt_ends_the_wait_for_compiled_code_and_not_the_code() -> None:
    release, ended = Event(), Event()

    def call() -> int:
        release.wait()
        ended.set()
        return 7

    timer = Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        interruptible(call)
    timer.join()
    assert not ended.is_set()
    release.set()
    assert ended.wait(PATIENCE)
    assert interruptible(call) == 7


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_an_interrupt_does_not_wait_for_a_long_simulation(tmp_path: Path, start: Start) -> None:
    options = ("--target", "cpu", "--timesteps", 20_000)
    assert kgenn(*compile_arguments(tmp_path / "out", *options)).code == 0
    process = start("run", tmp_path / "out", "--data", IMAGES, "--batch-size", 1000, "--trace", tmp_path / "t.npz")
    process.until(lambda: any("scratch" in name for name in names(tmp_path)))
    process.interrupt()
    done = process.outcome()
    assert (done.code, done.out, done.err) == (130, "", "interrupted\n")
    assert names(tmp_path) == ["out"]


def test_an_interrupt_while_modules_are_imported_is_one_line_too() -> None:
    hook = """
import os, signal, sys
class Finder:
    def find_spec(self, name, *_):
        if name == "click":
            eval("os.kill(os.getpid(), signal.SIGINT)")
sys.meta_path.insert(0, Finder())
from kgenn.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", hook], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
