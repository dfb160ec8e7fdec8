"""Compilers that are odd, hang or die, processes that build at once, and GeNN builds that did not end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import kgenn as package
from faulty import gone, kgenn, names, script
from kgenn.artifact.directory import Artifact, read_directory, write_artifact
from kgenn.backends import TARGETS, genn, toolchain
from kgenn.backends.base import RunOptions
from kgenn.backends.genn_worker import SUMS, build
from kgenn.diagnostics import KgennError
from outcome import IMAGES, ROOT
from recordings import converted

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


def built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, compiler: object) -> str:
    """Return the diagnostics of building with a compiler; nothing of it stays in the cache."""
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setenv("KGENN_CACHE", str(tmp_path / "cache"))
    with pytest.raises(KgennError) as caught:
        package.compile(converted("dense", "if"))
    assert caught.value.exit_code == 3
    assert not (tmp_path / "cache").exists() or names(tmp_path / "cache") == []
    return str(caught.value)


def versioned(directory: Path, text: str) -> Path:
    """Write a compiler that tells its version, and does what a text says where it is to compile."""
    return script(directory, f'case "$*" in *--version*) echo 1;; *) {text};; esac')


def test_a_compiler_that_cannot_be_started_is_kg501(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    odd = script(tmp_path, "")
    odd.write_text("#!/no/such/interpreter\n")
    assert "KG501" in built(monkeypatch, tmp_path, odd)


def test_a_cxx_that_no_shell_reads_is_kg501(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "error[KG501] CXX: is 'g++ \"': no closing quotation" in built(monkeypatch, tmp_path, 'g++ "')


def test_a_compiler_that_is_killed_is_kg502_with_the_signal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "was ended by signal 9" in built(monkeypatch, tmp_path, versioned(tmp_path, "kill -9 $$"))


def test_a_compiler_that_writes_nothing_is_kg502(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    message = built(monkeypatch, tmp_path, versioned(tmp_path, "exit 0"))
    assert "KG502" in message
    assert "wrote no .o file" in message


def test_a_compiler_whose_log_is_no_utf_8_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    odd = versioned(tmp_path, r"printf '\377 trouble' >&2; exit 1")
    assert "\N{REPLACEMENT CHARACTER} trouble" in built(monkeypatch, tmp_path, odd)


@pytest.mark.parametrize("limit", ["COMPILE_SECONDS", "VERSION_SECONDS"])
def test_a_compiler_that_hangs_is_ended_with_all_that_it_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: str
) -> None:
    monkeypatch.setattr(toolchain, limit, 0.3)
    hangs = f"sleep 1000 & echo $! > {tmp_path / 'child'}; wait"
    odd = versioned(tmp_path, hangs) if limit == "COMPILE_SECONDS" else script(tmp_path, hangs)
    message = built(monkeypatch, tmp_path, odd)
    assert "KG502" in message
    assert "did not end within 0.3 s" in message
    gone(int((tmp_path / "child").read_text()))


def save(directory: Path, target: str = "cpu") -> Path:
    network = converted("dense", "if")
    write_artifact(directory, Artifact(network, target).files(TARGETS.get(target)().emit(network)))
    return directory


@needs_compiler
@pytest.mark.slow
def test_processes_that_build_one_directory_with_one_cache_all_run(tmp_path: Path) -> None:
    directory, cache = save(tmp_path / "out"), tmp_path / "cache"
    run = "import sys, kgenn; kgenn.open_directory(sys.argv[1])"
    environment = {**os.environ, "KGENN_CACHE": str(cache)}
    processes = [
        subprocess.Popen([sys.executable, "-c", run, directory], cwd=ROOT, env=environment, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    assert [(p.communicate()[1], p.returncode) for p in processes] == [(b"", 0)] * 2
    assert sorted(Path(name).suffix for name in names(cache)) == [".o", ".so"]
    assert len([name for name in names(directory) if name.endswith(".so")]) == 1
    assert not any("scratch" in name for name in names(directory))


def test_processes_that_write_one_directory_leave_one_of_their_outputs_whole(tmp_path: Path) -> None:
    networks = [converted("dense", encoder) for encoder in ("if", "poisson", "direct")]
    outputs = [
        Artifact(network, "reference").files(TARGETS.get("reference")().emit(network)) for network in networks
    ]
    errors: list[BaseException] = []

    def write(files: dict[str, bytes]) -> None:
        try:
            for _ in range(25):
                write_artifact(tmp_path / "out", files)
        except KgennError as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(files,)) for files in outputs]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if (tmp_path / "out").exists():
            assert (tmp_path / "out" / "manifest.json").exists()
    assert errors == []
    assert {name: (tmp_path / "out" / name).read_bytes() for name in outputs[0]} in outputs
    assert names(tmp_path) == ["out"]
    assert read_directory(tmp_path / "out").target == "reference"


def test_a_genn_build_that_did_not_end_or_was_changed_begins_anew(tmp_path: Path) -> None:
    options = {"batch_size": 1, "record": False, "kernel_times": False}
    found: list[bool] = []

    def network(batch_size: int, record: bool, place: Path, kernel_times: bool) -> Any:
        code = place / "network_CODE" / "init.o"
        found.append(code.exists())
        code.parent.mkdir(exist_ok=True)
        code.write_bytes(b"object")
        if len(found) == 1:
            raise RuntimeError("killed")
        return "a network"

    module: Any = SimpleNamespace(Network=network)
    with pytest.raises(RuntimeError):
        build(module, tmp_path, options)
    assert build(module, tmp_path, options) == "a network"
    assert build(module, tmp_path, options) == "a network"
    assert found == [False, False, True]
    (tmp_path / "batch1" / "network_CODE" / "init.o").write_bytes(b"obj")
    assert build(module, tmp_path, options) == "a network"
    assert build(module, tmp_path, options) == "a network"
    assert found[3:] == [False, True]
    assert names(tmp_path / "batch1") == [SUMS, "lock", "network_CODE"]


def test_a_genn_directory_that_cannot_be_written_is_built_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = save(tmp_path / "out", "genn-cpu")
    network = read_directory(directory).network
    monkeypatch.setenv("KGENN_CACHE", str(tmp_path / "cache"))

    def place() -> Path:
        simulator = TARGETS.get("genn-cpu")().load(network, directory, RunOptions())
        assert isinstance(simulator, genn.GennSimulator)
        return simulator.place

    assert place().parent == directory
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert place().is_relative_to(tmp_path / "cache")


@pytest.mark.slow
def test_an_interpreter_that_dies_while_it_builds_is_kg506(tmp_path: Path) -> None:
    directory = save(tmp_path / "out", "genn-cpu")
    odd = script(tmp_path, "echo terminate called >&2; kill -9 $$", "python")
    arguments = ("run", directory, "--data", IMAGES, "--genn-python", odd, "--limit", 1)
    np.savez(tmp_path / "data.npz", x=np.zeros((1, *read_directory(directory).network.input_shape), np.float32))
    done = kgenn(*arguments[:3], tmp_path / "data.npz", *arguments[4:])
    assert (done.code, done.codes) == (3, ["KG506"])
    assert "ended by signal 9" in done.err
