"""The target cuda builds once, for the devices present; and one clear error for each thing that is missing."""

from __future__ import annotations

import shutil
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from cuda_programs import HostDevice

import kgenn
from kgenn.backends import cuda as target
from kgenn.backends import toolchain
from kgenn.diagnostics import KgennError
from recordings import EVERYTHING, assert_same, converted, drive_of

HOST = Path(__file__).parent / "cuda_host"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Begin with an empty cache of programs, and forget what was found before."""
    monkeypatch.setenv("KGENN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NVCC", raising=False)
    target.toolchain.cache_clear()
    toolchain.find_compiler.cache_clear()


def tool(directory: Path, name: str, text: str) -> Path:
    """Write a program of a shell's commands."""
    path = directory / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def host_nvcc(directory: Path) -> Path:
    """Write an nvcc that compiles for the device on the host, and notes its arguments."""
    return tool(
        directory,
        "nvcc",
        f'echo "$@" >> {directory}/log\n'
        'case "$1" in --version) echo "release 13.0"; exit 0;; esac\n'
        'for last; do :; done\nwhile [ "$1" != -o ]; do shift; done\n'
        f'exec g++ -std=c++17 -O0 -ffp-contract=off -fPIC -shared -I {HOST} -x c++ "$last" -o "$2"',
    )


def test_without_nvcc_the_error_says_what_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(KgennError, match=r"KG510.*no CUDA compiler; looked for nvcc(.|\n)*CUDA toolkit") as caught:
        kgenn.compile(converted("dense", "if"), "cuda")
    assert caught.value.exit_code == 3


def test_the_device_s_architecture_is_what_a_program_is_compiled_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool(tmp_path, "nvidia-smi", "echo 9.0; echo 8.6; echo 9.0")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert target.capabilities() == ("86", "90")
    flags = target.toolchain().flags
    assert flags[-2:] == ("-gencode=arch=compute_86,code=sm_86", "-gencode=arch=compute_90,code=sm_90")
    assert "--fmad=false" in flags


@pytest.mark.parametrize("answer", ["exit 9", "echo N/A", "true"])
def test_without_a_device_a_program_is_for_several_architectures_and_later_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    tool(tmp_path, "nvidia-smi", answer)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert target.capabilities() == ()
    kinds = [flag.rpartition("code=")[2] for flag in target.toolchain().flags if "gencode" in flag]
    assert kinds == ["sm_75", "sm_80", "sm_90", "compute_90"]


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_a_directory_is_built_once_and_runs_as_the_reference_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NVCC", str(host_nvcc(tmp_path)))
    network = converted("dense", "poisson")
    reference = kgenn.compile(network, "reference")
    x = np.random.default_rng(0).random((3, 7)).astype(np.float32)
    kgenn.compile(network, "cuda").save(tmp_path / "out")
    expected = reference.evaluate(x)
    for _ in range(2):
        opened = kgenn.open_directory(tmp_path / "out")
        result = opened.evaluate(x)
        assert np.array_equal(result.scores, expected.scores)
        assert result.spikes == expected.spikes
        assert {way for work in opened.work for way in work.algorithms} <= {"events", "tiles"}
    assert (tmp_path / "log").read_text().count("network.cu") == 1


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_what_goes_wrong_on_the_device_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = converted("dense", "poisson")
    simulator = HostDevice(network, tmp_path).simulator()
    drive = drive_of(network, "poisson")

    def error() -> str:
        with pytest.raises(KgennError) as caught:
            simulator.run(drive, 0, EVERYTHING)
        assert caught.value.exit_code == 3
        return str(caught.value)

    with monkeypatch.context() as patch:
        patch.setenv("CUDA_HOST_DEVICES", "0")
        assert "KG507" in error()
    with monkeypatch.context() as patch:
        patch.setenv("CUDA_HOST_START", "35")  # the driver is older than the program
        assert "KG610" in error()
        assert "update the driver" in error()
        patch.setenv("CUDA_HOST_DRIVER", "0")  # or there is none
        assert "KG507" in error()
    with monkeypatch.context() as patch:
        patch.setenv("CUDA_HOST_MEMORY", "9000")
        assert "KG608" in error()
        assert "device's memory" in error()
    with monkeypatch.context() as patch:
        patch.setenv("CUDA_HOST_FAILURE", "719")
        assert "KG610" in error()
    # nothing of that stays
    assert simulator.run(drive, 0, EVERYTHING).scores.any()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_a_network_stays_on_the_device_of_its_first_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = converted("dense", "poisson")
    simulator = HostDevice(network, tmp_path).simulator()
    drive = drive_of(network, "poisson")
    results = []
    for device in ("1", "0"):  # what a thread uses that has set none
        monkeypatch.setenv("CUDA_HOST_CURRENT", device)
        thread = Thread(target=lambda: results.append(simulator.run(drive, 0, EVERYTHING)))
        thread.start()
        thread.join()
    assert_same(*results)
