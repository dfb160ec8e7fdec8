"""`kgenn export`: the files it writes, and its errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from kgenn.artifact.directory import Artifact, write_artifact
from kgenn.backends.base import Program
from kgenn.cli import invoke
from recordings import converted


def compiled_directory(path: Path, name: str, encoder: str) -> Path:
    write_artifact(path, Artifact(converted(name, encoder), "reference").files(Program({})))
    return path


def test_nir_is_a_file_that_nir_reads(tmp_path: Path) -> None:
    nir = pytest.importorskip("nir", reason="the package nir is not installed")
    directory = compiled_directory(tmp_path / "net", "conv_same", "direct")
    output = tmp_path / "new" / "net.nir"
    assert invoke(["export", str(directory), "--to", "nir", "-o", str(output)]) == 0
    assert set(nir.read(output).nodes) >= {"input", "relu_2", "relu_4", "output"}
    assert [p.name for p in output.parent.iterdir()] == ["net.nir"]


def test_ml_genn_is_a_program_with_its_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = compiled_directory(tmp_path / "net", "conv_same", "if")
    assert invoke(["export", str(directory), "--to", "ml-genn", "-o", str(tmp_path / "net.py")]) == 0
    assert (tmp_path / "net.npz").is_file()
    assert "WEIGHTS = 'net.npz'" in (tmp_path / "net.py").read_text()
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        str(tmp_path / "net.py"),
        str(tmp_path / "net.npz"),
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["--to", "onnx", "-o", "x"], 1, "KG401"),
        (["--to", "ml-genn", "-o", "x.py"], 1, "KG411"),
        (["--to", "ml-genn", "-o", "."], 1, "KG606"),
        (["--to", "ml-genn", "-o", "x.npz"], 1, "KG606"),
        (["--to", "ml-genn"], 2, "--output"),
    ],
)
def test_mistakes_are_told(
    arguments: list[str], code: int, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = compiled_directory(tmp_path / "net", "conv_same", "direct")
    paths = [str(tmp_path / a) if arguments[i - 1] == "-o" else a for i, a in enumerate(arguments)]
    assert invoke(["export", str(directory), *paths]) == code
    assert word in capsys.readouterr().err


def test_the_weights_are_not_written_over_a_file_of_the_user(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = compiled_directory(tmp_path / "net", "conv_same", "if")
    command = ["export", str(directory), "--to", "ml-genn", "-o", str(tmp_path / "net.py")]
    (tmp_path / "net.npz").write_bytes(b"of the user")
    for program in (None, b"of the user, too"):
        if program:
            (tmp_path / "net.py").write_bytes(program)
        assert invoke(command) == 1
        assert f"error[KG606] {tmp_path / 'net.npz'}: " in capsys.readouterr().err
        assert (tmp_path / "net.npz").read_bytes() == b"of the user"
        assert (tmp_path / "net.py").exists() == (program is not None)
    (tmp_path / "net.npz").unlink()
    assert invoke(command) == invoke(command) == 0, "an earlier export is replaced"
