"""A directory of somebody else: few commands run its code, and these compare its sums before."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kgenn
from covering import leading
from kgenn.artifact.directory import Artifact, write_artifact
from kgenn.artifact.self_test import self_test
from kgenn.backends import TARGETS
from kgenn.backends.base import RunOptions
from kgenn.diagnostics import KgennError
from kgenn.files.checksums import SUMS, sums
from outcome import ROOT
from recordings import converted

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
# Runs command lines until one fails, and prints before it ends what they did that can run code of a directory.
WATCHED = """
import json, sys
found, folder = set(), sys.argv[1]
def watch(event, arguments):
    if event in ("subprocess.Popen", "os.exec", "os.system", "os.posix_spawn", "os.fork", "os.forkpty"):
        if arguments[:1] != ("uname",):  # as Python's own platform.processor
            found.add(event)
    elif event == "ctypes.dlopen" and folder in str(arguments[0]):
        found.add(event)
    elif event in ("compile", "import") and folder in str(arguments[1]):
        found.add(event)
    elif event == "exec" and folder in str(getattr(arguments[0], "co_filename", "")):
        found.add(event)
sys.addaudithook(watch)
from kgenn.cli import invoke
for line in json.loads(sys.argv[2]):
    code = invoke(line)
    if code or found:
        print(*line, file=sys.stderr)
        break
print(*sorted(found), file=sys.stderr)
sys.exit(code)
"""


def trapped(directory: Path, target: str, trap: Path) -> Path:
    """Write a directory whose every program leaves a file when it is built, loaded or run; its sums are right."""
    network = converted("dense", "if")
    files = dict(Artifact(network, target).files(TARGETS.get(target)().emit(network), self_test(network)))
    shell = f"touch {trap}"
    for name in files:
        if name.endswith(".py"):
            files[name] = f"import os\nos.system({shell!r})\n".encode() + files[name]
        elif name == "network.cpp":
            text = f'#include <cstdlib>\nstatic const int trap = std::system("{shell}");\n'
            files[name] = files[name] + text.encode()
    del files[SUMS]
    write_artifact(directory, {**files, SUMS: sums(files)})
    return directory


def run(directory: Path, *lines: tuple[object, ...]) -> tuple[int, set[str], str]:
    """Return the exit code of the last of some command lines, what they did that can run code, and diagnostics."""
    words = [[str(argument) for argument in line] for line in lines]
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(directory), json.dumps(words)],
        cwd=ROOT,
        env={**os.environ, "KGENN_GENN_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    *rest, last = done.stderr.split("\n")[:-1]
    return done.returncode, set(last.split()), "\n".join(rest)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    np.savez(tmp_path / "data.npz", x=np.full((2, *converted("dense", "if").input_shape), 0.5, np.float32))
    return tmp_path / "data.npz"


@pytest.mark.parametrize("target", leading(["cpu", "cuda", "genn-cpu"]))
def test_reading_commands_and_the_reference_execute_nothing(tmp_path: Path, data: Path, target: str) -> None:
    trap = tmp_path / "trap"
    directory = trapped(tmp_path / "out", target, trap)
    code, did, err = run(
        directory,
        ("inspect", directory),
        ("inspect", directory, "--picture", tmp_path / "p.svg"),
        ("export", directory, "--to", "nir", "-o", tmp_path / "n.nir"),
        ("export", directory, "--to", "ml-genn", "-o", tmp_path / "m.py"),
        ("cite", directory),
        ("run", directory, "--target", "reference", "--data", data),
    )
    assert (code, did) == (0, set()), err
    assert not trap.exists()


@needs_compiler
@pytest.mark.parametrize("command", leading(["run", "compare", "verify"]))
def test_commands_that_run_the_program_do_so_only_as_long_as_its_sums_are_right(
    tmp_path: Path, data: Path, command: str
) -> None:
    trap = tmp_path / "trap"
    directory = trapped(tmp_path / "out", "cpu", trap)
    line = (command, directory, *(() if command == "verify" else ("--data", data)))
    with (directory / "network.cpp").open("a") as source:
        source.write("// edited\n")
    code, did, err = run(directory, line)
    assert (code, did) == (1, set())
    assert f"error[KG640] {directory / 'network.cpp'}: has changed" in err
    assert not trap.exists()
    run(directory, (*line, "--edited"))
    assert trap.exists()


@pytest.mark.slow
@needs_compiler
def test_sums_that_were_made_again_are_taken_for_right(tmp_path: Path, data: Path) -> None:
    trap = tmp_path / "trap"
    directory = trapped(tmp_path / "out", "cpu", trap)
    code, did, _ = run(directory, ("run", directory, "--data", data))
    assert (code, did) == (0, {"ctypes.dlopen", "subprocess.Popen"})
    assert trap.exists()


def test_every_file_that_was_changed_or_removed_is_named_and_one_that_was_added_is_passed_over(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "out"
    kgenn.compile(converted("dense", "if"), "reference").save(directory)
    (directory / "notes.txt").touch()
    kgenn.open_directory(directory)
    (directory / "self_test.npz").unlink()
    manifest = directory / "manifest.json"
    plain = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(plain))
    with pytest.raises(KgennError) as caught:
        kgenn.open_directory(directory)
    assert [(d.code, Path(d.where).name, d.what) for d in caught.value.diagnostics] == [
        ("KG640", "manifest.json", "has changed"),
        ("KG640", "self_test.npz", "is missing"),
    ]
    assert all("--edited" in d.help for d in caught.value.diagnostics)
    assert kgenn.open_directory(directory, RunOptions(edited=True)).network.origin == plain.get("origin", {})


@pytest.mark.parametrize(("damage", "code"), [(None, "KG641"), (b"odd", "KG640")])
def test_a_directory_whose_sums_are_missing_or_damaged_is_not_run(
    tmp_path: Path, damage: bytes | None, code: str
) -> None:
    directory = tmp_path / "out"
    kgenn.compile(converted("dense", "if"), "reference").save(directory)
    (directory / SUMS).unlink()
    if damage:
        (directory / SUMS).write_bytes(damage)
    with pytest.raises(KgennError, match=code):
        kgenn.open_directory(directory)
    kgenn.open_directory(directory, RunOptions(edited=True))


def test_bytecode_beside_a_genn_program_is_not_run(tmp_path: Path) -> None:
    from kgenn.backends.genn_worker import load_model

    (tmp_path / "model.py").write_text("answer = 1\n")
    odd = tmp_path / "odd.py"
    odd.write_text("answer = 2\n")
    stat = (tmp_path / "model.py").stat()
    os.utime(odd, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    cached = tmp_path / "__pycache__" / f"model.{sys.implementation.cache_tag}.pyc"
    subprocess.run(
        [sys.executable, "-c", f"import py_compile; py_compile.compile({str(odd)!r}, {str(cached)!r})"], check=True
    )
    assert load_model(tmp_path).answer == 1
    ordinary = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import model; print(model.answer)"
    done = subprocess.run([sys.executable, "-c", ordinary], capture_output=True, text=True, check=True)
    assert done.stdout == "2\n"  # what an ordinary import would have run
