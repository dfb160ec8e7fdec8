"""The README says what is so: its tables come from the code, and its examples run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_tables_are_those_of_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.tables import filled

    assert filled(README) == README, "run: python -m benchmarks.tables README.md"


def test_picture_is_there() -> None:
    for path in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (ROOT / path).is_file()


def test_main_command_compiles_the_shipped_model_and_prints_its_accuracy(tmp_path: Path) -> None:
    command = blocks("sh")[0].replace("mnist_snn", str(tmp_path / "mnist_snn"))
    kgenn = f"{sys.executable} -m kgenn"
    done = subprocess.run(
        re.sub(r"(^|&& )kgenn", rf"\1{kgenn}", command),
        shell=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    (shown,) = (line for line in blocks("text")[0].splitlines() if line.startswith("accuracy"))
    assert shown.strip() in done.stdout


def test_python_example_runs(tmp_path: Path) -> None:
    (example,) = blocks("python")
    done = subprocess.run([sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, check=True)
    accuracy = float(re.search(r"accuracy +([\d.]+) %", done.stdout)[1])  # type: ignore[index]
    assert accuracy > 98
