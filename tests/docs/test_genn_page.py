"""The examples of the page on GeNN run, where pygenn is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pages import DOCS, ROOT, Block, blocks_of

import kgenn
from genn_python import genn_python

EXAMPLES = [block for block in blocks_of(DOCS / "howto" / "genn.md") if block.language == "python"]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the program of the page, and samples."""
    with np.load(ROOT / "benchmarks" / "data" / "mnist_calibration.npz") as file:
        x = kgenn.samples(file["x"], (28, 28, 1), "1/255")
    network = kgenn.convert(ROOT / "benchmarks" / "models" / "mnist_cnn.h5", calibration=x, timesteps=16)
    place = tmp_path_factory.mktemp("page")
    kgenn.compile(network, "genn-cpu").save(place / "snn_genn")
    np.savez(place / "samples.npz", x=x[:2])
    return place


@pytest.mark.parametrize("block", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_runs_and_prints_spikes(block: Block, program: Path) -> None:
    command = [genn_python(), "-c", block.code]
    environment = {**os.environ, "PYTHONPATH": str(program / "snn_genn")}
    done = subprocess.run(command, cwd=program, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert any(character.isdigit() and character != "0" for character in done.stdout)


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) == 3
