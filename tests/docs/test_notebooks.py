"""The notebooks of the documentation run from top to bottom."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pages import DOCS, ROOT

NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))
# What each prints, in part.
PRINTS = {
    "from-keras-to-spikes": ("Keras: ", "KG201 classes (Dense)", "SHA256SUMS"),
    "reproduce-a-table": ("results: 10 cells", "of 3 published figures met", "cells.csv"),
}
# Pictures that each draws.
PICTURES = {"from-keras-to-spikes": 2, "reproduce-a-table": 2}


# A program that runs a notebook and writes it with its outputs.
EXECUTE = """
import sys
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, timeout=600).execute()
nbformat.write(notebook, sys.argv[2])
"""


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook["cells"] for output in cell.get("outputs", ())]


def test_every_notebook_is_tested() -> None:
    assert {path.stem for path in NOTEBOOKS} == set(PRINTS) == set(PICTURES)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_valid_and_holds_no_outputs(path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    notebook = read(path)
    nbformat.validate(notebook)
    assert outputs(notebook) == []
    assert [cell["execution_count"] for cell in notebook["cells"] if cell.get("execution_count")] == []


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    command = tmp_path / "kgenn"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m kgenn "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    search = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": search, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    executed = tmp_path / "executed.ipynb"
    execute = [sys.executable, "-c", EXECUTE, str(path), str(executed)]
    done = subprocess.run(execute, env=environment, capture_output=True, text=True, cwd=path.parent)
    assert done.returncode == 0, done.stderr

    given = outputs(read(executed))
    text = "".join("".join(output.get("text", "")) for output in given)
    assert [part for part in PRINTS[path.stem] if part not in text] == []
    assert sum("image/png" in output.get("data", {}) for output in given) == PICTURES[path.stem]
