"""No room, no permission, no compiler: one diagnostic, an exit code, and nothing half-written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kgenn as package
from covering import leading
from faulty import Process, compile_arguments, names, script
from kgenn.artifact.directory import Artifact, write_artifact
from kgenn.backends import TARGETS, genn_process
from kgenn.backends.build_cache import cache_directory
from kgenn.cli import invoke
from kgenn.diagnostics import KgennError
from outcome import IMAGES, ROOT
from recordings import converted

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux' /dev/full")
# Runs a command line that can write no file of more than so many bytes, as on a disk that is full.
BOUNDED = """
import resource, sys
import kgenn.cli
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
kgenn.cli.main()
"""


def bounded(size: int, *arguments: object) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", BOUNDED, str(size), *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "arguments",
    leading(
        [
            pytest.param(compile_arguments(Path("OUT"))),
            pytest.param(("run", "DIR", "--data", IMAGES, "--limit", 20, "--trace", "OUT")),
            pytest.param(("run", "DIR", "--data", IMAGES, "--limit", 20, "--predictions", "OUT")),
        ]
    ),
    ids=["compile", "trace", "predictions"],
)
def test_an_output_for_which_there_is_no_room_is_kg606_and_is_not_there(
    compiled: Path, tmp_path: Path, arguments: tuple[object, ...]
) -> None:
    places = {"DIR": compiled, "OUT": tmp_path / "out"}
    words = [places.get(str(word), word) for word in arguments]
    code, err = bounded(1_000, *words)
    assert (code, err.splitlines()) == (1, [f"error[KG606] {tmp_path / 'out'}: cannot be written: File too large"])
    assert names(tmp_path) == []


def test_a_compiler_without_room_is_kg606_with_the_cache_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = 'echo "x.s: No space left on device" >&2; exit 1'
    monkeypatch.setenv("CXX", str(script(tmp_path, f'case "$*" in *--version*) ;; *) {full};; esac')))
    monkeypatch.setenv("KGENN_CACHE", str(tmp_path / "cache"))
    with pytest.raises(KgennError, match=r"KG606.*cache: cannot be written: No space left(.|\n)*KGENN_CACHE"):
        package.compile(converted("dense", "if"))
    assert names(tmp_path / "cache") == []


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_a_directory_without_room_for_the_library_runs_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy(source: Path, target: Path) -> None:
        (Path(target) / "half").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    network = converted("dense", "if")
    write_artifact(tmp_path / "out", Artifact(network, "cpu").files(TARGETS.get("cpu")().emit(network)))
    written = names(tmp_path / "out")
    monkeypatch.setattr(shutil, "copy", copy)
    x = np.zeros((1, *network.input_shape), np.float32)
    assert package.open_directory(tmp_path / "out").evaluate(x).num_samples == 1
    assert names(tmp_path / "out") == written


def test_without_a_home_there_is_a_cache_and_one_that_cannot_be_written_is_kg606(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "XDG_CACHE_HOME", "KGENN_CACHE"):
        monkeypatch.delenv(name, raising=False)
    assert cache_directory().is_absolute()
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.setenv("CXX", "true")
    with pytest.raises(KgennError, match=r"KG606.*file(.|\n)*KGENN_CACHE"):
        package.compile(converted("dense", "if"))
    package.compile(converted("dense", "if"), "reference")


@needs_full
@pytest.mark.parametrize(
    ("arguments", "code"), leading([(["list"], "KG606"), (["list", "methods"], "KG606"), (["--help"], "KG609")])
)
def test_standard_output_without_room_is_one_diagnostic(arguments: list[str], code: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = Process(arguments, {}, stdout=full).outcome()
    assert done.codes == [code]
    assert done.code == (1 if code == "KG606" else 3)
    assert "Traceback" not in done.err


@needs_full
@pytest.mark.parametrize("unbuffered", leading(["", "1"]))
def test_diagnostics_that_nobody_can_read_still_give_the_exit_code(tmp_path: Path, unbuffered: str) -> None:
    with Path("/dev/full").open("w") as full:
        process = Process(["cite", tmp_path], {"PYTHONUNBUFFERED": unbuffered}, stderr=full)
        assert process.outcome().code == 1


def test_standard_output_that_is_closed_harms_nothing(tmp_path: Path, compiled: Path) -> None:
    command = f'exec "{sys.executable}" -m kgenn inspect "{compiled}" --picture "{tmp_path / "p.svg"}" >&-'
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert names(tmp_path) == ["p.svg"]


def test_a_reader_that_leaves_early_is_no_error() -> None:
    done = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -m kgenn list layers | head -n 1'],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    assert done.stdout
    assert done.stderr == b""


def test_a_directory_for_temporary_files_without_room_is_kg609(
    compiled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def mkdtemp(**_: object) -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(genn_process.tempfile, "mkdtemp", mkdtemp)
    assert invoke(["run", str(compiled), "--target", "genn-cpu", "--data", str(IMAGES)]) == 3
    assert "error[KG609] kgenn: No usable temporary directory" in capsys.readouterr().err


@pytest.mark.parametrize("where", ["file/out", "device"])
def test_an_output_that_cannot_be_written_is_told_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "device")
    for arguments in (
        ("compile", "no-model.h5", "--calibration", "none.npz", "-o", tmp_path / where),
        ("run", tmp_path, "--data", "none.npz", "--trace", tmp_path / where),
        ("run", tmp_path, "--data", "none.npz", "--predictions", tmp_path / where),
        ("inspect", tmp_path, "--picture", tmp_path / where),
        ("export", tmp_path, "--to", "nir", "-o", tmp_path / where),
    ):
        assert invoke([str(argument) for argument in arguments]) == 1
        assert capsys.readouterr().err.startswith("error[KG606]"), arguments
    assert names(tmp_path) == ["device", "file"]
