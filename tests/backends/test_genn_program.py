"""The emitted GeNN program as its users run it: model.py by itself, its flags, its messages, and edits of it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import kgenn
from genn_python import genn_python
from kgenn.backends import RunOptions
from kgenn.backends.genn import GennSimulator
from kgenn.backends.genn_program import MODEL, emit_genn
from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from recordings import compiled, converted, inputs_of


@cache
def network() -> Network:
    return converted("conv_same", "if")


def samples() -> Array:
    """Return inputs as model.py takes them: as the first weights do."""
    return network().inputs[0].transform.apply(inputs_of(network(), "if", 5))


def written(directory: Path, text: Mapping[str, str] | None = None) -> Path:
    """Write the program and samples, with parts of its text replaced."""
    for name, content in emit_genn(network(), "cpu").files.items():
        (directory / name).write_bytes(content)
    program = (directory / MODEL).read_text(encoding="utf-8")
    for old, new in (text or {}).items():
        assert old in program
        program = program.replace(old, new)
    (directory / MODEL).write_text(program, encoding="utf-8")
    np.savez(directory / "samples.npz", x=samples())
    return directory


def ran(
    directory: Path, *arguments: str, data: str = "samples.npz", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run model.py in a directory that is not the current one."""
    command = [genn_python(), str(directory / MODEL), "--data", str(directory / data), *arguments]
    variables = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=variables)


def message(done: subprocess.CompletedProcess[str]) -> str:
    """Return the last line on standard error of a run that failed without a traceback."""
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def classes(done: subprocess.CompletedProcess[str]) -> list[int]:
    """Return the class of each sample: the results are all that is printed."""
    assert done.returncode == 0, done.stderr
    return [int(line.split()[0]) for line in done.stdout.splitlines()]


def test_the_program_alone_gives_the_classes_of_generated_cpp_and_leaves_a_sound_directory(tmp_path: Path) -> None:
    directory = tmp_path / "snn"
    compiled_network = kgenn.compile(network(), "genn-cpu")
    compiled_network.save(directory)
    np.savez(directory.parent / "samples.npz", x=samples())
    expected = compiled(network()).run(network().inputs[0].coding.drive(samples()), 0).scores[:, -1].argmax(axis=1)
    preset = {"CXX": "c++ -ffast-math"}
    assert classes(ran(directory, data="../samples.npz", **preset)) == expected.tolist()
    found = kgenn.verify(directory, RunOptions(genn_python=genn_python()))
    assert found.sound
    assert found.samples


def test_a_compiler_that_reorders_arithmetic_is_found_out(tmp_path: Path) -> None:
    compiler = tmp_path / "fast"
    compiler.write_text('#!/bin/sh\nexec c++ "$@" -ffast-math\n')
    compiler.chmod(0o755)
    assert "reorders sums" in message(ran(written(tmp_path), CXX=str(compiler)))


def test_a_missing_compiler_is_named(tmp_path: Path) -> None:
    done = ran(written(tmp_path), CXX="no-such-compiler")
    assert "CXX=no-such-compiler" in message(done)
    assert "no-such-compiler: No such file" in done.stderr


def test_a_missing_compiler_is_named_in_the_diagnostic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    options = RunOptions(genn_python=genn_python())
    simulator = GennSimulator(network(), "cpu", None, written(tmp_path), options)
    with pytest.raises(KgennError) as caught:
        simulator.run(network().inputs[0].coding.drive(samples()), 0)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "KG506"
    assert "no-such-compiler: No such file" in diagnostic.what


@pytest.mark.parametrize(
    ("arguments", "data", "expected"),
    [
        (("--batch-size", "4"), "samples.npz", "one sample at a time"),
        ((), "nowhere.npz", "is no .npz file with x"),
        ((), "wrong.npz", "the network takes 84"),
        ((), "large.npz", "legal are 0 to 1"),
        ((), "empty.npz", "has no samples"),
    ],
)
def test_mistakes_are_one_line_before_anything_is_built(
    arguments: tuple[str, ...], data: str, expected: str, tmp_path: Path
) -> None:
    written(tmp_path)
    np.savez(tmp_path / "wrong.npz", x=samples()[:, :2])
    np.savez(tmp_path / "large.npz", x=samples() * 9)
    np.savez(tmp_path / "empty.npz", x=samples()[:0])
    assert expected in message(ran(tmp_path, *arguments, data=data))
    assert not (tmp_path / "genn_build").exists()


def test_a_backend_that_pygenn_lacks_is_named(tmp_path: Path) -> None:
    directory = written(tmp_path, {'BACKEND = "single_threaded_cpu"': 'BACKEND = "abacus"'})
    assert "built without abacus; it has" in message(ran(directory))


def test_an_edited_neuron_model_is_compiled_and_fires_otherwise(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/howto/genn.md").read_text(encoding="utf-8")
    before, after = re.findall(r"```c\n(.*?)\n```", page, re.DOTALL)
    plain = ran(written(tmp_path))
    leaky = ran(written(tmp_path, {before: after}))
    assert plain.returncode == leaky.returncode == 0
    assert plain.stdout != leaky.stdout


def test_code_that_genn_does_not_take_is_one_line(tmp_path: Path) -> None:
    edited = written(tmp_path, {"v = (v + i_syn);": "v = (v + nowhere);"})
    done = ran(edited)
    assert message(done) == "error: GeNN did not build the network: its messages are above"
    assert "'nowhere': Undefined identifier" in done.stdout  # where GeNN logs


def test_a_model_of_single_precision_computes_with_steps_of_its_own_type() -> None:
    # this network holds sums of currents in double, and GeNN's time with them
    text = emit_genn(converted("pool_same_twice", "poisson"), "cpu").files["model.py"].decode()
    assert 'GeNNModel("double"' in text
    _, _, late = text.partition('create_neuron_model(\n    "accumulate_late"')
    code = late.partition("create_neuron_model")[0]
    assert '("v", "float")' in code
    (update,) = (line for line in code.splitlines() if "v = (v +" in line)
    assert update.count("((float)(t - start))") == update.count("(t - start)") == 2
